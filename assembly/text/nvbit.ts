/**
 * The output of NVBit's mem_trace: a line for each warp that executes a memory instruction, with the
 * addresses of its 32 lanes. A lane that is not active has the address 0.
 *
 *   MEMTRACE: CTX 0x55d0c0 - grid_launch_id 0 - CTA 0,0,0 - warp 0 - LDG.E - 0x7f8a01800000 0x7f8a01800008 …
 *
 * A warp of a grid is a thread; all accesses are the device's. Each grid is a kernel, with a mark where it
 * begins and one where it ends. Shared and local memory is no memory of the address space: such lines are
 * skipped, and so are those of the program itself.
 */
import { RECORD_MARK_KERNEL_BEGIN, RECORD_MARK_KERNEL_END } from "../abi/record";
import {
  ERROR_ADDRESS,
  ERROR_LINE,
  isBlank,
  isDigit,
  Lines,
  LOAD,
  MODIFY,
  NONE,
  peek,
  put,
  putMark,
  refuse,
  skip,
  skipBlanks,
  STORE,
  takeByte,
  takeDecimal,
  takeHex,
  takeHexMark,
  takeText,
  takeWord,
  WORD_LD,
  WORD_ST,
} from "./lines";
import { mixKeys, threadOf, threadsReset } from "./threads";

const COMMA: u32 = 0x2c;
const DOT: u32 = 0x2e;
const LOWER_X: u32 = 0x78;
const DEVICE: u32 = 1;

/** What takeWord makes of "ld", "ldg", "ldgsts", "st", "stg", "atom", "atomg", "red". */
const LDG: u64 = 0x67646c;
const LDGSTS: u64 = 0x73747367646c;
const STG: u64 = 0x677473;
const ATOM: u64 = 0x6d6f7461;
const ATOMG: u64 = 0x676d6f7461;
const RED: u64 = 0x646572;

/** What an instruction does to global memory; NONE: nothing. */
function kindOf(word: u64): u32 {
  if (word == WORD_LD || word == LDG || word == LDGSTS) return LOAD;
  if (word == WORD_ST || word == STG) return STORE;
  return word == ATOM || word == ATOMG || word == RED ? MODIFY : NONE;
}

/**
 * Takes the parts of an instruction's name after the first, `.E.64.SYS`. Returns the bytes that a lane
 * accesses: what a part says that is a number of bits (64, U8, F16x2), else 4.
 */
function takeSuffixes(s: Lines): u32 {
  let size: u32 = 4;
  while (takeByte(s, DOT)) {
    if (!isDigit(peek(s)) && s.at + 1 < s.end && isDigit(load<u8>(s.at, 1))) s.at++;
    if (takeDecimal(s)) {
      let bits = s.value;
      if (takeByte(s, LOWER_X) && takeDecimal(s)) bits *= min<u64>(s.value, 16);
      if (bits == 8 || bits == 16 || bits == 32 || bits == 64 || bits == 128) size = (<u32>bits) >> 3;
    }
    while (s.at < s.end && !isBlank(load<u8>(s.at)) && load<u8>(s.at) != DOT) s.at++;
  }
  return size;
}

/** Takes `0,0,0 - warp 0`. Leaves a key for the warp in `value`. */
function takeWarp(s: Lines): bool {
  if (!takeDecimal(s) || !takeByte(s, COMMA)) return false;
  const x = s.value;
  if (!takeDecimal(s) || !takeByte(s, COMMA)) return false;
  const y = s.value;
  if (!takeDecimal(s)) return false;
  const z = s.value;
  if (!takeText(s, " - warp ") || !takeDecimal(s)) return false;
  s.value = mixKeys(mixKeys(mixKeys(x, y), z), s.value);
  return true;
}

/** Marks that a kernel ends if one runs. */
export function endKernel(s: Lines): void {
  if (s.inKernel != 0) putMark(s, RECORD_MARK_KERNEL_END, s.kernelId);
  s.inKernel = 0;
}

function beginKernel(s: Lines, id: u32): void {
  endKernel(s);
  threadsReset(s);
  s.inKernel = 1;
  s.kernelId = id;
  putMark(s, RECORD_MARK_KERNEL_BEGIN, id);
}

/** Takes the addresses of the lanes that end the line. Returns false after a wrong one. */
function takeLanes(s: Lines, kind: u32, size: u32, thread: u32): bool {
  while (!skipBlanks(s) || s.at != s.end) {
    if (!takeHexMark(s) || !takeHex(s) || (s.at != s.end && !isBlank(peek(s))))
      return refuse(s, ERROR_ADDRESS);
    if (s.value != 0) put(s, s.value, size, kind, DEVICE, thread, 0);
  }
  return true;
}

export function nvbitLine(s: Lines): bool {
  if (!takeText(s, "MEMTRACE: CTX ")) return skip(s);
  if (!takeHex(s) || !takeText(s, " - ")) return refuse(s, ERROR_LINE);
  if (takeText(s, "LAUNCH")) return skip(s);
  if (!takeText(s, "grid_launch_id ") || !takeDecimal(s)) return refuse(s, ERROR_LINE);
  const grid = <u32>s.value;
  if (!takeText(s, " - CTA ") || !takeWarp(s) || !takeText(s, " - ")) return refuse(s, ERROR_LINE);
  const warp = s.value;
  const kind = kindOf(takeWord(s));
  const size = takeSuffixes(s);
  if (!isBlank(peek(s)) || !takeText(s, " - ")) return refuse(s, ERROR_LINE);
  if (s.inKernel == 0 || s.kernelId != grid) beginKernel(s, grid);
  const thread = threadOf(s, warp);
  return kind == NONE ? skip(s) : takeLanes(s, kind, size, thread);
}
