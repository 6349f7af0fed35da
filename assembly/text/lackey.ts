/**
 * A streaming decoder of the output of `valgrind --tool=lackey --trace-mem=yes`.
 *
 *   I  04001000,3     an instruction of 3 bytes: decides the agent (offload.ts), gives no record
 *    L 1ffeffe7e0,8   a load of 8 bytes        ┐
 *    S 1ffeffe7e0,8   a store                  ├ a record each
 *    M 1ffeffe7e0,8   a load, then a store     ┘
 *   ==123== text      valgrind's own messages, also with -- or **: skipped and counted, as are blank lines
 *
 * Accesses at 2^47 and above (the kernel's half, such as the vsyscall page) are counted and give no record.
 *
 *   ┌────────┬─────────────────┬─────────────────────────┬────────┐
 *   │ margin │ incomplete line │ input: chunk            │ margin │      output: records of one chunk
 *   └────────┴─────────────────┴─────────────────────────┴────────┘
 *
 * The caller writes a chunk at `input`. The incomplete line at its end moves to before `input`, so that the
 * next chunk completes it in place. Lines are read 16 bytes at a time; the margins keep such reads inside the
 * buffer. `output` has room for the most records that a chunk can give. Decoding allocates nothing.
 *
 * Usual lines go through fast-lines.ts. All others go to `slowLine`, which knows every form and every rule.
 */
import { RECORD_DEVICE_SHIFT, RECORD_SIZE_MAX } from "../abi/record";
import { fastLines } from "./fast-lines";
import { areNibbles, hexNibbles, joinNibbles, keepLast } from "./hex";
import { Offload, offloadStep } from "./offload";
import {
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

/** The longest line that may be split over two chunks. Only a comment may be longer. */
const CARRY_BYTES: usize = 1024;
/** Bytes before and after the text that may be read. */
const MARGIN_BYTES: usize = 64;
/** The shortest line that gives a record: " L 0,1\n". */
const LINE_BYTES_MIN: usize = 7;

const LF: u32 = 0x0a;
const CR: u32 = 0x0d;
const SPACE: u32 = 0x20;

/** Larger sizes are read as this one. */
const SIZE_LIMIT: u32 = 0xffff;

/** What is wrong with a line; index.ts has the words. */
export const ERROR_LINE: u32 = 1;
export const ERROR_ADDRESS: u32 = 2;
export const ERROR_SIZE: u32 = 3;
export const ERROR_LONG: u32 = 4;

/** Allocates a decoder of chunks of at most `capacity` bytes; it owns `offload`. */
export function lackeyNew(capacity: usize, offload: Offload): Lackey {
  const s = changetype<Lackey>(heap.alloc(offsetof<Lackey>()));
  memory.fill(changetype<usize>(s), 0, offsetof<Lackey>());
  const bytes = MARGIN_BYTES + CARRY_BYTES + capacity + MARGIN_BYTES;
  const buffer = heap.alloc(bytes);
  memory.fill(buffer, 0, bytes);
  s.input = buffer + MARGIN_BYTES + CARRY_BYTES;
  s.capacity = capacity;
  s.output = heap.alloc(((CARRY_BYTES + capacity) / LINE_BYTES_MIN + 1) << 3);
  s.offload = offload;
  return s;
}

/** Frees the decoder, its buffers and its offload rule. */
export function lackeyFree(s: Lackey): void {
  heap.free(s.input - CARRY_BYTES - MARGIN_BYTES);
  heap.free(s.output);
  heap.free(changetype<usize>(s.offload));
  heap.free(changetype<usize>(s));
}

/** The end of the line at `p`, or `end` if the line is not complete. */
function lineEnd(p: usize, end: usize): usize {
  while (p < end && load<u8>(p) != LF) p++;
  return p;
}

/** Whether the line at `p` is valgrind's own: a mark twice, then the process id. */
function isComment(p: usize): bool {
  const mark = <u32>load<u8>(p);
  if (mark != 0x3d && mark != 0x2d && mark != 0x2a) return false; // = - *
  return load<u8>(p, 1) == mark && <u32>load<u8>(p, 2) - ZERO < 10;
}

function isBlank(p: usize, end: usize): bool {
  while (p < end) {
    const c = <u32>load<u8>(p++);
    if (c != SPACE && c != CR && c != 0x09) return false;
  }
  return true;
}


@inline
function isAccess(prefix: u32): u32 {
  return u32(prefix == INSTRUCTION) | u32(prefix == LOAD) | u32(prefix == STORE) | u32(prefix == MODIFY);
}

/** Notes what is wrong with the line at `p`. Returns false. */
function fail(s: Lackey, error: u32, p: usize): bool {
  s.error = error;
  s.errorAt = p;
  return false;
}

/**
 * Decodes one line of any form. Returns false, with the error set, if it is no access, comment or blank line.
 */
function slowLine(s: Lackey, p: usize, end: usize): bool {
  const e = lineEnd(p, end);
  s.lineEnd = e;
  const prefix = load<u32>(p) & PREFIX_MASK;
  if (!isAccess(prefix)) {
    if (isComment(p)) s.comments++;
    else if (!isBlank(p, e)) return fail(s, ERROR_LINE, p);
    s.lines++;
    return true;
  }
  let comma = p + PREFIX_BYTES;
  while (load<u8>(comma) != COMMA && comma < e) comma++;
  const digits = comma - p - PREFIX_BYTES;
  if (digits - 1 >= 16 || comma == e) return fail(s, ERROR_ADDRESS, p);
  const nibbles = keepLast(hexNibbles(v128.load(comma - 16)), digits);
  if (!areNibbles(nibbles)) return fail(s, ERROR_ADDRESS, p);
  let size: u32 = 0;
  let q = comma + 1;
  for (let digit = <u32>load<u8>(q) - ZERO; digit < 10; digit = <u32>load<u8>(++q) - ZERO) {
    size = min<u32>(size * 10 + digit, SIZE_LIMIT);
  }
  if (load<u8>(q) == CR) q++;
  if (size == 0 || q != e) return fail(s, ERROR_SIZE, p);
  s.lines++;
  takeAccess(s, prefix, joinNibbles(nibbles), size);
  return true;
}

/** Counts an access, and appends its record or decides the agent of an instruction. */
function takeAccess(s: Lackey, prefix: u32, address: u64, size: u32): void {
  if (prefix == INSTRUCTION) {
    s.instructions++;
    s.agent = offloadStep(s.offload, address, s.last & ~((<u64>1) << RECORD_DEVICE_SHIFT), s.next);
    s.last = 0;
    s.next = address + size;
    return;
  }
  if (address >> KERNEL_SHIFT != 0) {
    s.kernel++;
    s.last = 0;
    return;
  }
  s.last = record(address, min<u32>(size, RECORD_SIZE_MAX)) | ((<u64>s.agent) << RECORD_DEVICE_SHIFT);
  if (prefix == STORE) {
    s.last |= KIND_STORE;
    s.stores++;
  } else if (prefix == MODIFY) {
    s.last |= KIND_MODIFY;
    s.modifies++;
  }
  store<u64>(s.out, s.last);
  s.out += 8;
  s.device += s.agent;
}

/**
 * Decodes the chunk of `length` bytes at `input`. Returns the number of records at `output`, or -1 after an
 * error, which is in line `lines + 1`.
 */
export function lackeyDecode(s: Lackey, length: usize): i32 {
  if (s.error != 0) return -1;
  let p = s.input - s.carry;
  const end = s.input + length;
  s.carry = 0;
  if (s.dropping != 0) {
    p = lineEnd(p, end);
    if (p == end) return 0;
    p++; // after the newline
    s.dropping = 0;
  }
  const complete = lastLineEnd(p, end);
  decodeLines(s, p, complete);
  if (s.error != 0 || !keepTail(s, complete, end)) return -1;
  return <i32>((s.out - s.output) >> 3);
}

/** The address after the last newline of [p, end), or `p` if there is none. */
function lastLineEnd(p: usize, end: usize): usize {
  while (end > p && load<u8>(end - 1) != LF) end--;
  return end;
}

/**
 * Moves the incomplete line [p, end) to before `input`. Returns false, with the error set, if it is too long.
 */
function keepTail(s: Lackey, p: usize, end: usize): bool {
  const bytes = end - p;
  if (bytes > CARRY_BYTES) {
    if (isComment(p)) {
      s.comments++;
      s.lines++;
      s.dropping = 1;
      return true;
    }
    return fail(s, ERROR_LONG, p);
  }
  memory.copy(s.input - bytes, p, bytes);
  s.carry = bytes;
  return true;
}

/** Decodes the complete lines of [p, end), up to the first wrong one. */
function decodeLines(s: Lackey, p: usize, end: usize): void {
  s.out = s.output;
  while (p < end) {
    p = fastLines(s, p, end);
    if (p == end) break;
    if (!slowLine(s, p, end)) break;
    p = s.lineEnd + 1;
  }
  s.accesses += (s.out - s.output) >> 3;
}
