/**
 * The fast path for lines as lackey prints them.
 *
 * A line starts where the line before it ends, so finding the ends is a chain of dependent instructions. Most
 * lines have the length of "I 04001000,3" with two blanks: lackey prints at least eight digits, and sizes of
 * two digits are rare. So the loop guesses that length and checks the comma and the newline by a branch: the
 * processor predicts it and starts on the next line before it has seen this one. The digits of two such lines
 * fill one vector. For other lines the loop searches the newline and takes the digits that end at the comma.
 */
import {
  RECORD_AGENT_SHIFT,
  RECORD_BYTES,
  RECORD_ID_SHIFT,
  RECORD_KIND_FETCH,
  RECORD_KIND_LOAD,
  RECORD_KIND_MODIFY,
  RECORD_KIND_STORE,
} from "../abi/record";
import { areNibbles, hexNibbles, joinEights, joinNibbles, keepLast, OF_0A } from "./hex";
import { ACCESS_KIND_SHIFT, offloadLeaves, offloadReturns } from "./offload";
import {
  COMMA,
  INSTRUCTION,
  KERNEL_SHIFT,
  Lackey,
  LOAD,
  MODIFY,
  PREFIX_BYTES,
  PREFIX_MASK,
  record,
  STORE,
  ZERO,
} from "./state";

/** The usual line: the offset of its comma, and its length. */
const COMMA_AT: usize = 11;
const USUAL_BYTES: usize = 14;
/** The end of a usual line with size 0, ",0\n", and the mask of its three bytes. */
const SIZE_ZERO: u32 = 0x0a302c;
const SIZE_MASK: u32 = 0xffffff;

/** The size in the line at `p`, 1 to 9, if the line ends as a usual one does; any other number if not. */
@inline
function usualSize(p: usize): u32 {
  return rotr<u32>((load<u32>(p, COMMA_AT) ^ SIZE_ZERO) & SIZE_MASK, 8);
}

/** The digits of two addresses: of the usual line at `p` and of the one after it. */
@inline
function usualDigits(p: usize): v128 {
  return v128.load_lane<u64>(p + PREFIX_BYTES + USUAL_BYTES, v128.load64_zero(p + PREFIX_BYTES), 1);
}

/** The address of the first newline in the 16 bytes at `p`; p + 32 if there is none. */
@inline
function lineFeedNear(p: usize): usize {
  return p + ctz(i8x16.bitmask(i8x16.eq(v128.load(p), v128.load(OF_0A))));
}

/** The size, of one or two digits, between a comma and a newline; 0 if anything else stands there. */
@inline
function sizeBetween(comma: usize, lineFeed: usize): u32 {
  const ones = <u32>load<u8>(lineFeed - 1) - ZERO;
  const tens = comma + 2 == lineFeed ? <u32>0 : <u32>load<u8>(comma, 1) - ZERO;
  return load<u8>(comma) == COMMA && ones < 10 && tens < 10 ? tens * 10 + ones : 0;
}

/** The kind of the access whose line begins so; RECORD_KIND_FETCH if it is none. */
@inline
function kindOf(prefix: u32): u64 {
  const other: u64 = prefix == MODIFY ? RECORD_KIND_MODIFY : RECORD_KIND_FETCH;
  return prefix == LOAD ? RECORD_KIND_LOAD : prefix == STORE ? RECORD_KIND_STORE : other;
}

/**
 * Decodes the lines from `p` on until one has another form or may change the agent. Returns the address of
 * that line, or `end`. The loop calls no function, so that its state stays in registers.
 */
export function fastLines(s: Lackey, p: usize, end: usize): usize {
  const offload = s.offload;
  const agent = (<u64>s.agent) << RECORD_AGENT_SHIFT;
  let out = s.out;
  let last = s.last;
  let tail = s.tail;
  let instructions: u64 = 0;
  let kinds: u64 = 0; // stores in the low half, modifies in the high half
  let ahead: u64 = 0; // the address in the line at `p` if the line before it has parsed it, else 0

  while (p < end) {
    let after = p + USUAL_BYTES;
    let size = usualSize(p);
    let address = ahead;
    ahead = 0;
    if (address == 0) {
      if (max<u32>(size - 1, usualSize(after) - 1) < 9) {
        const nibbles = hexNibbles(usualDigits(p));
        if (!areNibbles(nibbles)) break;
        const both = joinEights(nibbles);
        address = both & 0xffffffff;
        ahead = both >> 32;
      } else {
        const lineFeed = lineFeedNear(p + PREFIX_BYTES + 1);
        const comma = lineFeed - 2 - usize(load<u8>(lineFeed - 2) != COMMA);
        const digits = comma - p - PREFIX_BYTES;
        if (digits - 1 >= 16) break;
        const nibbles = keepLast(hexNibbles(v128.load(comma - 16)), digits);
        size = sizeBetween(comma, lineFeed);
        if (size == 0 || !areNibbles(nibbles)) break;
        address = joinNibbles(nibbles);
        after = lineFeed + 1;
      }
    }
    const prefix = load<u32>(p) & PREFIX_MASK;
    if (prefix == INSTRUCTION) {
      if (offloadLeaves(offload, address)) break;
      if (offloadReturns(offload, address)) break;
      instructions++;
      last = 0;
      tail = agent | (address << RECORD_ID_SHIFT);
      s.next = address + size;
    } else {
      if (address >> KERNEL_SHIFT != 0) break;
      const kind = kindOf(prefix);
      if (kind == RECORD_KIND_FETCH) break;
      kinds += (kind & RECORD_KIND_STORE) | ((kind & RECORD_KIND_MODIFY) << 31);
      const access = record(address, size);
      store<u64>(out, access);
      store<u64>(out, tail | kind, 8);
      out += RECORD_BYTES;
      last = access | (kind << ACCESS_KIND_SHIFT);
    }
    p = after;
  }
  account(s, out, instructions, kinds);
  s.last = last;
  s.tail = tail;
  return p;
}

/** Counts the records from `s.out` to `out`, and moves `s.out` there. */
@inline
function account(s: Lackey, out: usize, instructions: u64, kinds: u64): void {
  const accesses = <u64>(out - s.out) / RECORD_BYTES;
  s.out = out;
  s.lines += instructions + accesses;
  s.instructions += instructions;
  s.stores += kinds & 0xffffffff;
  s.modifies += kinds >> 32;
  s.device += <u64>s.agent * accesses;
}
