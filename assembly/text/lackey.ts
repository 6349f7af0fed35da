/**
 * A streaming decoder of what `valgrind --tool=lackey --trace-mem=yes` prints.
 *
 *   I  04001000,3     an instruction at 0x4001000, 3 bytes long: tells who runs (offload.ts), gives no record
 *    L 1ffeffe7e0,8   a load of 8 bytes        ┐
 *    S 1ffeffe7e0,8   a store                  ├ a record each
 *    M 1ffeffe7e0,8   a load, then a store     ┘
 *   ==123== text      valgrind's own messages; also with -- or **. Skipped and counted, as are blank lines
 *
 * A record is a little-endian u64:
 *
 *      63        61 60 59  58 57 56 55          48 47                                             0
 *     ├────────────┼──┼──────┼─────┼──────────────┼───────────────────────────────────────────────┤
 *     │ 0          │ A│ 0    │ K   │ size         │ address                                       │
 *     └────────────┴──┴──────┴─────┴──────────────┴───────────────────────────────────────────────┘
 *     A  who accesses: 0 CPU, 1 device        K  0 load, 1 store, 2 modify
 *     size in bytes, 255 for anything longer
 *
 * Accesses at 2^47 and above (the kernel's half, e.g. the vsyscall page) are counted and give no record.
 *
 * Memory: the caller writes a chunk at `input`. The incomplete line at the end of a chunk is moved to right before
 * `input`, so that the next chunk completes it in place. Lines are read 16 bytes at a time; margins on both sides
 * keep that within our memory. Records are at `output`, which has room for the most that a chunk can give. Nothing
 * is allocated while decoding.
 *
 * Speed: where the next line starts depends on where this one ends, so nothing but the search for the newline is
 * in that chain; a line is then parsed from its end, where the digits are already aligned. This is the fast path,
 * for what lackey prints; whatever it does not take goes to `slowLine`, which knows all that is allowed.
 */
import { Offload, offloadQuiet, offloadStep } from "./offload";

/** The longest line that may be split over two chunks; only a comment may be longer. */
const CARRY_BYTES: usize = 1024;
/** Bytes before and behind the text that may be read. */
const MARGIN_BYTES: usize = 64;
/** The shortest line that gives a record: " L 0,1\n". */
const LINE_BYTES_MIN: usize = 7;

const PREFIX_MASK: u32 = 0xffffff;
const INSTRUCTION: u32 = 0x202049; // "I  "
const LOAD: u32 = 0x204c20; // " L "
const STORE: u32 = 0x205320; // " S "
const MODIFY: u32 = 0x204d20; // " M "

const LF: u32 = 0x0a;
const CR: u32 = 0x0d;
const SPACE: u32 = 0x20;
const COMMA: u32 = 0x2c;
const ZERO: u32 = 0x30;

/** What is wrong with a line; index.ts has the words. */
export const ERROR_LINE: u32 = 1;
export const ERROR_ADDRESS: u32 = 2;
export const ERROR_SIZE: u32 = 3;
export const ERROR_LONG: u32 = 4;

const SIZE_SHIFT: u64 = 48;
const KIND_SHIFT: u64 = 56;
const AGENT_SHIFT: u64 = 60;
const SIZE_MAX: u32 = 255;
/** The largest size that has two digits. */
const SIZE_FAST: u32 = 99;
/** Sizes above it are taken for it. */
const SIZE_LIMIT: u32 = 0xffff;
const KERNEL_SHIFT: u64 = 47;

@unmanaged
export class Lackey {
  /** Where the caller writes a chunk, of up to `capacity` bytes. */
  input: usize;
  capacity: usize;
  output: usize;
  /** Bytes of an incomplete line right before `input`. */
  carry: usize;
  offload: Offload;
  /** 1 while the rest of a long comment is being dropped. */
  dropping: u32;
  /** 0, or what is wrong with the line at `errorAt`; nothing is decoded after an error. */
  error: u32;
  errorAt: usize;
  /** 1 while the device runs. */
  agent: u32;
  /** The record of the last data access of the current instruction, 0 if it had none; where the next one is. */
  last: u64;
  next: u64;
  lines: u64;
  instructions: u64;
  /** Records, and how many of them are stores, modifies, and the device's. */
  accesses: u64;
  stores: u64;
  modifies: u64;
  device: u64;
  kernel: u64;
  comments: u64;
  /** What slowLine found: an access, and the end of its line. */
  foundAddress: u64;
  foundSize: u32;
  foundEnd: usize;
}

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

export function lackeyFree(s: Lackey): void {
  heap.free(s.input - CARRY_BYTES - MARGIN_BYTES);
  heap.free(s.output);
  heap.free(changetype<usize>(s.offload));
  heap.free(changetype<usize>(s));
}

/** 16 bytes of 0, then 16 of 255: read at `n`, a mask that keeps the last n of 16 bytes. */
const KEEP_LAST: usize = memory.data<u64>([0, 0, -1, -1]);

/**
 * The values 0 … 15 of the last `digits` characters of `text`, and 0 for those before them; a character that is no
 * hexadecimal digit gets a value above 15. Decimal digits are moved to the top of the byte's range and cut off
 * there, letters to 10 and up; of the two results, the one in range is the lesser.
 */
// @ts-ignore: decorator
@inline
function hexNibbles(text: v128, digits: usize): v128 {
  const high = i8x16.sub_sat_u(i8x16.add(text, i8x16.splat(<i8>(0xff - 0x39))), i8x16.splat(6));
  const decimal = i8x16.sub(high, i8x16.splat(<i8>0xf0));
  const letter = i8x16.add_sat_u(
    i8x16.sub(v128.and(text, i8x16.splat(<i8>0xdf)), i8x16.splat(0x41)),
    i8x16.splat(10),
  );
  return v128.and(i8x16.min_u(decimal, letter), v128.load(KEEP_LAST + digits));
}

/** Whether all values are at most 15. */
// @ts-ignore: decorator
@inline
function areNibbles(nibbles: v128): bool {
  return i8x16.bitmask(i8x16.add_sat_u(nibbles, i8x16.splat(127 - 15))) == 0;
}

/** The number that 16 values of 4 bits make: neighbours are joined to bytes, and taken from the last to the first. */
// @ts-ignore: decorator
@inline
function joinNibbles(nibbles: v128): u64 {
  const bytes = v128.or(i16x8.shl(nibbles, 4), i16x8.shr_u(nibbles, 8));
  return i64x2.extract_lane(
    v128.shuffle<u8>(bytes, bytes, 14, 12, 10, 8, 6, 4, 2, 0, 14, 12, 10, 8, 6, 4, 2, 0),
    0,
  );
}

/** The end of the line at `p`, or `end` if the line is not complete. */
function lineEnd(p: usize, end: usize): usize {
  while (p < end && load<u8>(p) != LF) p++;
  return p;
}

/** Whether `p` starts a message of valgrind's: two of the same mark, then the process id. */
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

// @ts-ignore: decorator
@inline
function isAccess(prefix: u32): u32 {
  return u32(prefix == INSTRUCTION) | u32(prefix == LOAD) | u32(prefix == STORE) | u32(prefix == MODIFY);
}

function fail(s: Lackey, error: u32, p: usize): u32 {
  s.error = error;
  s.errorAt = p;
  return FOUND_ERROR;
}

/** What slowLine found. */
const FOUND_ERROR: u32 = 0;
const FOUND_ACCESS: u32 = 1;
const FOUND_OTHER: u32 = 2;

/** Takes any line: an access in all its forms, a comment or a blank line; else sets the error. */
function slowLine(s: Lackey, p: usize, end: usize): u32 {
  const e = lineEnd(p, end);
  s.foundEnd = e;
  if (!isAccess(load<u32>(p) & PREFIX_MASK)) {
    if (isComment(p)) s.comments++;
    else if (!isBlank(p, e)) return fail(s, ERROR_LINE, p);
    return FOUND_OTHER;
  }
  let comma = p + 3;
  while (load<u8>(comma) != COMMA && comma < e) comma++;
  const digits = comma - p - 3;
  if (digits - 1 >= 16 || comma == e) return fail(s, ERROR_ADDRESS, p);
  const nibbles = hexNibbles(v128.load(comma - 16), digits);
  if (!areNibbles(nibbles)) return fail(s, ERROR_ADDRESS, p);
  s.foundAddress = joinNibbles(nibbles);
  let size: u32 = 0;
  let q = comma + 1;
  for (let digit = <u32>load<u8>(q) - ZERO; digit < 10; digit = <u32>load<u8>(++q) - ZERO) {
    size = min<u32>(size * 10 + digit, SIZE_LIMIT);
  }
  if (load<u8>(q) == CR) q++;
  if (size == 0 || q != e) return fail(s, ERROR_SIZE, p);
  s.foundSize = size;
  return FOUND_ACCESS;
}

/**
 * Decodes the chunk of `length` bytes that the caller wrote at `input`, and returns how many records are at
 * `output`, or -1 after an error. The line before which decoding stops is line `lines + 1`.
 */
export function lackeyDecode(s: Lackey, length: usize): i32 {
  if (s.error != 0) return -1;
  let p = s.input - s.carry;
  const end = s.input + length;
  s.carry = 0;
  if (s.dropping != 0) {
    p = lineEnd(p, end);
    if (p == end) return 0;
    p++; // behind the newline
    s.dropping = 0;
  }
  const complete = lastLineEnd(p, end);
  const out = decodeLines(s, p, complete);
  if (s.error != 0 || !keepTail(s, complete, end)) return -1;
  return <i32>((out - s.output) >> 3);
}

/** The place behind the last newline of p … end, or `p` if there is none. */
function lastLineEnd(p: usize, end: usize): usize {
  while (end > p && load<u8>(end - 1) != LF) end--;
  return end;
}

/** Moves the incomplete line p … end before `input`. False after an error: no line is that long. */
function keepTail(s: Lackey, p: usize, end: usize): bool {
  const bytes = end - p;
  if (bytes > CARRY_BYTES) {
    if (isComment(p)) {
      s.comments++;
      s.lines++;
      s.dropping = 1;
      return true;
    }
    fail(s, ERROR_LONG, p);
    return false;
  }
  memory.copy(s.input - bytes, p, bytes);
  s.carry = bytes;
  return true;
}

/** Decodes the complete lines p … end - 1, and returns the end of the records. */
function decodeLines(s: Lackey, p: usize, end: usize): usize {
  const offload = s.offload;
  const watching = offload.count != 0;
  let out = s.output;
  let agent = s.agent;
  let last = s.last;
  let next = s.next;
  let lines: u64 = 0;
  let instructions: u64 = 0;
  let stores: u64 = 0;
  let modifies: u64 = 0;
  let device: u64 = 0;

  while (p < end) {
    const prefix = load<u32>(p) & PREFIX_MASK;
    let lineFeed = p + 4 + ctz(i8x16.bitmask(i8x16.eq(v128.load(p, 4), i8x16.splat(<i8>LF))));
    let comma = lineFeed - 2;
    let size = <u32>load<u8>(comma, 1) - ZERO;
    if (load<u8>(comma) != COMMA || size >= 10) {
      const tens = <u32>load<u8>(comma) - ZERO;
      size = size < 10 && tens < 10 ? size + tens * 10 : 0;
      comma--;
    }
    const digits = comma - p - 3;
    const nibbles = hexNibbles(v128.load(comma - 16), digits & 31);
    let address = joinNibbles(nibbles);
    if (!isAccess(prefix) || load<u8>(comma) != COMMA || size - 1 >= SIZE_FAST || digits - 1 >= 16 || !areNibbles(nibbles)) {
      const found = slowLine(s, p, end);
      if (found == FOUND_ERROR) break;
      lineFeed = s.foundEnd;
      if (found == FOUND_OTHER) {
        p = lineFeed + 1;
        lines++;
        continue;
      }
      address = s.foundAddress;
      size = s.foundSize;
    }
    p = lineFeed + 1;
    lines++;
    if (prefix == INSTRUCTION) {
      instructions++;
      if (watching) {
        if (!offloadQuiet(offload, address)) agent = offloadStep(offload, address, last, next);
        last = 0;
        next = address + size;
      }
      continue;
    }
    if (address >> KERNEL_SHIFT != 0) {
      s.kernel++;
      last = 0;
      continue;
    }
    const isStore = u32(prefix == STORE);
    const isModify = u32(prefix == MODIFY);
    last = address | ((<u64>min<u32>(size, SIZE_MAX)) << SIZE_SHIFT) | (<u64>(isStore | (isModify << 1)) << KIND_SHIFT);
    store<u64>(out, last | ((<u64>agent) << AGENT_SHIFT));
    out += 8;
    stores += isStore;
    modifies += isModify;
    device += agent;
  }

  s.agent = agent;
  s.last = last;
  s.next = next;
  s.lines += lines;
  s.instructions += instructions;
  s.accesses += (out - s.output) >> 3;
  s.stores += stores;
  s.modifies += modifies;
  s.device += device;
  return out;
}
