/**
 * The fast way through lines as lackey prints them.
 *
 * Where a line starts depends on where the one before ends, so whatever finds that end is a chain of instructions that
 * each wait for the one before. Most lines are as long as "I  04001000,3": lackey prints eight digits at least, and
 * sizes of two are rare. Whether a comma and a newline stand where such a line has them is a branch, which the processor
 * predicts, so that it is at the next line before it has looked at this one; and two such lines fill a vector with their
 * digits. Of other lines the newline is searched for, and digits are taken from the comma back.
 */
import { areNibbles, hexNibbles, joinEights, joinNibbles, keepLast, OF_0A } from "./hex";
import { offloadLeaves, offloadReturns } from "./offload";
import {
  AGENT_SHIFT,
  COMMA,
  INSTRUCTION,
  KERNEL_SHIFT,
  KIND_MODIFY,
  KIND_STORE,
  Lackey,
  LOAD,
  MODIFY,
  PREFIX_BYTES,
  PREFIX_MASK,
  record,
  STORE,
  ZERO,
} from "./state";

/** A usual line: where its comma is, and its bytes. */
const COMMA_AT: usize = 11;
const USUAL_BYTES: usize = 14;
/** ",0\n", what a usual line ends with, but for the size; and these three bytes of a word. */
const SIZE_ZERO: u32 = 0x0a302c;
const SIZE_MASK: u32 = 0xffffff;

/** The size in the line at `p` if that is a usual one as far as its end, else anything but 1 … 9. */
// @ts-ignore: decorator
@inline
function usualSize(p: usize): u32 {
  return rotr<u32>((load<u32>(p, COMMA_AT) ^ SIZE_ZERO) & SIZE_MASK, 8);
}

/** The characters of two addresses, of the usual lines at `p` and behind it. */
// @ts-ignore: decorator
@inline
function usualDigits(p: usize): v128 {
  return v128.load_lane<u64>(p + PREFIX_BYTES + USUAL_BYTES, v128.load64_zero(p + PREFIX_BYTES), 1);
}

/** The first newline of the 16 bytes at `p`; if there is none, the 16th byte behind them. */
// @ts-ignore: decorator
@inline
function lineFeedNear(p: usize): usize {
  return p + ctz(i8x16.bitmask(i8x16.eq(v128.load(p), v128.load(OF_0A))));
}

/** The size of one or two digits between what should be a comma and the newline; 0 if they are not that. */
// @ts-ignore: decorator
@inline
function sizeBetween(comma: usize, lineFeed: usize): u32 {
  const ones = <u32>load<u8>(lineFeed - 1) - ZERO;
  const tens = comma + 2 == lineFeed ? <u32>0 : <u32>load<u8>(comma, 1) - ZERO;
  return load<u8>(comma) == COMMA && ones < 10 && tens < 10 ? tens * 10 + ones : 0;
}

/**
 * Decodes lines from `p` on as lackey prints them, up to one that is not like that or that may change who runs. Returns
 * where it begins, or `end`. Nothing is called in the loop, so that all state is in registers.
 */
export function fastLines(s: Lackey, p: usize, end: usize): usize {
  const offload = s.offload;
  const agent = (<u64>s.agent) << AGENT_SHIFT;
  let out = s.out;
  let last = s.last;
  let instructions: u64 = 0;
  let kinds: u64 = 0; // stores in the low half, modifies in the high one
  let ahead: u64 = 0; // the address in the line at `p`, if it was parsed along with the line before

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
      s.next = address + size;
    } else {
      if (address >> KERNEL_SHIFT != 0) break;
      let access = record(address, size) | agent;
      if (prefix == STORE) {
        access |= KIND_STORE;
        kinds += 1;
      } else if (prefix == MODIFY) {
        access |= KIND_MODIFY;
        kinds += (<u64>1) << 32;
      } else if (prefix != LOAD) break;
      store<u64>(out, access);
      out += 8;
      last = access;
    }
    p = after;
  }
  account(s, out, instructions, kinds);
  s.last = last;
  return p;
}

/** Counts what came since records went to `s.out`, up to `out`. */
// @ts-ignore: decorator
@inline
function account(s: Lackey, out: usize, instructions: u64, kinds: u64): void {
  const accesses = (<u64>(out - s.out)) >> 3;
  s.out = out;
  s.lines += instructions + accesses;
  s.instructions += instructions;
  s.stores += kinds & 0xffffffff;
  s.modifies += kinds >> 32;
  s.device += <u64>s.agent * accesses;
}
