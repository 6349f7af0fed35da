/**
 * The state of a decoder of traces other than lackey's and .hmt (trace.ts), and what its formats share:
 * taking words and numbers from a line, and appending records.
 *
 * A format is a function that takes one line, from `at` to `end`, without blanks at its end. It returns false
 * after noting what is wrong. Nothing is read beyond `end`, and nothing is allocated.
 *
 * A record is two words, which abi/record.ts draws.
 */

import {
  RECORD_AGENT_SHIFT,
  RECORD_BYTES,
  RECORD_ID_SHIFT,
  RECORD_KIND_FETCH,
  RECORD_KIND_LOAD,
  RECORD_KIND_MODIFY,
  RECORD_KIND_STORE,
  RECORD_RUN,
  RECORD_RUN_MAX,
  RECORD_SIZE_MAX,
  RECORD_SIZE_SHIFT,
  RECORD_THREAD_SHIFT,
} from "../abi/record";

/** Kinds of accesses; INSTRUCTION gives no record. */
export const LOAD: u32 = RECORD_KIND_LOAD;
export const STORE: u32 = RECORD_KIND_STORE;
export const MODIFY: u32 = RECORD_KIND_MODIFY;
export const INSTRUCTION: u32 = RECORD_KIND_FETCH;
/** No kind. */
export const NONE: u32 = 255;

/** What is wrong with a line; src/text/line-decoder.ts has the words. */
export const ERROR_LINE: u32 = 1;
export const ERROR_ADDRESS: u32 = 2;
export const ERROR_SIZE: u32 = 3;
export const ERROR_LONG: u32 = 4;
/** The line begins with a NUL byte: the file was not written to its end. */
export const ERROR_NUL: u32 = 5;
/** Numbers with commas between them that are not all the same: a place in DRAM, and no address. */
export const ERROR_VECTOR: u32 = 6;
/** A page fault of perf's without the address that was accessed. */
export const ERROR_NO_DATA: u32 = 7;
/** Bytes that are no ChampSim instruction. */
export const ERROR_CHAMPSIM: u32 = 8;

/** Addresses with this bit or a higher one are the kernel's. */
const KERNEL_SHIFT: u64 = 47;
/** The largest size that a record can have. */
export const SIZE_MAX: u64 = RECORD_SIZE_MAX;

const SPACE: u32 = 0x20;
const TAB: u32 = 0x09;
const ZERO: u32 = 0x30;
const LOWER_A: u32 = 0x61;
const LOWER_X: u32 = 0x78;
/** The bit that makes an ASCII letter a small one. */
const LOWER: u32 = 0x20;

/** A decoder. trace.ts draws its buffers. */
@unmanaged
export class Lines {
  /** FORMAT_* of trace.ts. */
  format: u32;
  /** 1: numbers without 0x are decimal. */
  decimal: u32;
  /** The size of an access where the format has none. */
  size: u32;
  /** ERROR_*: what is wrong with the line at `errorAt`. Nothing is decoded after an error. */
  error: u32;
  errorAt: usize;
  /** Where the caller writes a chunk of at most `capacity` bytes. */
  input: usize;
  capacity: usize;
  output: usize;
  /** Bytes of an incomplete line, which end where `input` begins. */
  carry: usize;
  /** The threads that have numbers (threads.ts). */
  threads: usize;
  threadCount: u32;
  generation: u32;
  /** NVBit: 1 while a kernel runs, and the number of its launch. */
  inKernel: u32;
  kernelId: u32;
  /** The next byte of the line, and the line's end. */
  at: usize;
  end: usize;
  /** The number that was taken last. */
  value: u64;
  /** Where the next record goes. */
  out: usize;
  lines: u64;
  loads: u64;
  stores: u64;
  modifies: u64;
  /** Records that are the device's. */
  device: u64;
  /** Accesses to the kernel's half of the address space, which give no record. */
  kernel: u64;
  /** Instruction fetches, which give no record of their own. */
  instructions: u64;
  /** 1: instructions give records of runs. */
  runs: u32;
  /** The instructions of the run that is under way, and its thread. */
  run: u32;
  runThread: u32;
  /** Lines that are about something else: blank ones, comments, headers, other events. */
  skipped: u64;
}

/** Notes what is wrong with the line. Returns false. */
export function refuse(s: Lines, error: u32): bool {
  s.error = error;
  return false;
}

/** Counts a line that is about something else. Returns true. */
export function skip(s: Lines): bool {
  s.skipped++;
  return true;
}

/** Whether a byte is a blank. */
@inline
export function isBlank(c: u32): bool {
  return c == SPACE || c == TAB;
}

/** Whether a byte is a decimal digit. */
@inline
export function isDigit(c: u32): bool {
  return c - ZERO < 10;
}

/** The next byte of the line; 0 at its end. */
@inline
export function peek(s: Lines): u32 {
  return s.at < s.end ? <u32>load<u8>(s.at) : 0;
}

/** Moves to the next byte that is no blank. Returns whether there was a blank, or the line ends. */
export function skipBlanks(s: Lines): bool {
  const from = s.at;
  while (s.at < s.end && isBlank(load<u8>(s.at))) s.at++;
  return s.at != from || s.at == s.end;
}

/** Moves over the byte `c`; false if another one is next. */
export function takeByte(s: Lines, c: u32): bool {
  if (peek(s) != c) return false;
  s.at++;
  return true;
}

/** Moves over `text`, of ASCII; false if something else is next. */
export function takeText(s: Lines, text: string): bool {
  const length = <usize>text.length;
  if (s.end - s.at < length || !matches(s.at, text)) return false;
  s.at += length;
  return true;
}

/** Whether the bytes at `p`, as many as `text` has, are `text`. */
function matches(p: usize, text: string): bool {
  const from = changetype<usize>(text);
  for (let i: usize = 0; i < <usize>text.length; i++)
    if (<u32>load<u8>(p + i) != <u32>load<u16>(from + (i << 1))) return false;
  return true;
}

/** The first place of [p, end) that `text` stands at; 0 if there is none. */
export function find(p: usize, end: usize, text: string): usize {
  const length = <usize>text.length;
  for (; p + length <= end; p++) if (matches(p, text)) return p;
  return 0;
}

/** Moves to the first blank, or to the end. */
export function skipToken(s: Lines): void {
  while (s.at < s.end && !isBlank(load<u8>(s.at))) s.at++;
}

/**
 * The letters that come next, small, the first in the lowest byte; 0 if there are none or more than eight.
 */
export function takeWord(s: Lines): u64 {
  let word: u64 = 0;
  let shift: u64 = 0;
  for (; s.at < s.end; s.at++) {
    const letter = (<u32>load<u8>(s.at)) | LOWER;
    if (letter - LOWER_A >= 26) break;
    if (shift == 64) return 0;
    word |= (<u64>letter) << shift;
    shift += 8;
  }
  return word;
}

/** What takeWord makes of words that several formats have. */
export const WORD_LD: u64 = 0x646c;
export const WORD_ST: u64 = 0x7473;
export const WORD_READ: u64 = 0x64616572;
export const WORD_WRITE: u64 = 0x6574697277;
export const WORD_IFETCH: u64 = 0x686374656669;

/** Takes a decimal number of at most 18 digits into `value`. */
export function takeDecimal(s: Lines): bool {
  const from = s.at;
  let value: u64 = 0;
  for (; s.at < s.end; s.at++) {
    const digit = <u32>load<u8>(s.at) - ZERO;
    if (digit >= 10) break;
    if (s.at - from == 18) return false;
    value = value * 10 + digit;
  }
  s.value = value;
  return s.at != from;
}

/** Moves over "0x"; false if it does not come next. */
export function takeHexMark(s: Lines): bool {
  if (s.at + 1 >= s.end || load<u8>(s.at) != ZERO || ((<u32>load<u8>(s.at, 1)) | LOWER) != LOWER_X)
    return false;
  s.at += 2;
  return true;
}

/** Takes a hexadecimal number of at most 16 digits, with or without "0x", into `value`. */
export function takeHex(s: Lines): bool {
  takeHexMark(s);
  const from = s.at;
  let value: u64 = 0;
  for (; s.at < s.end; s.at++) {
    const c = <u32>load<u8>(s.at);
    let digit = c - ZERO;
    if (digit >= 10) {
      digit = (c | LOWER) - LOWER_A;
      if (digit >= 6) break;
      digit += 10;
    }
    if (s.at - from == 16) return false;
    value = (value << 4) | digit;
  }
  s.value = value;
  return s.at != from;
}

/** Takes an address into `value`: hexadecimal, but decimal without "0x" if the caller has said so. */
export function takeAddress(s: Lines): bool {
  return s.decimal == 0 || takeHexMark(s) ? takeHex(s) : takeDecimal(s);
}

/** Takes the size that ends a line, into `value`: the decoder's if the line ends here. */
export function takeSize(s: Lines): bool {
  if (s.at == s.end) {
    s.value = s.size;
    return true;
  }
  if (!skipBlanks(s) || !takeDecimal(s) || !skipBlanks(s)) return refuse(s, ERROR_SIZE);
  return s.value - 1 < SIZE_MAX ? true : refuse(s, ERROR_SIZE);
}

/** Appends a record. `about` is its kind, agent and thread. */
@inline
function append(s: Lines, first: u64, about: u32, id: u32): void {
  store<u64>(s.out, first);
  store<u64>(s.out, (<u64>about) | ((<u64>id) << RECORD_ID_SHIFT), 8);
  s.out += RECORD_BYTES;
}

/** Appends a mark. */
export function putMark(s: Lines, kind: u32, id: u32): void {
  append(s, 0, kind, id);
}

/** Counts an instruction. If runs are asked for, it joins the run of its thread, or begins one. */
export function fetched(s: Lines, thread: u32): void {
  s.instructions++;
  if (s.runs == 0) return;
  if (s.run == RECORD_RUN_MAX || s.runThread != thread) endRun(s);
  s.runThread = thread;
  s.run++;
}

/** Appends the record of the run that is under way. */
export function endRun(s: Lines): void {
  if (s.run == 0) return;
  append(s, (<u64>s.run) << RECORD_SIZE_SHIFT, RECORD_RUN | (s.runThread << RECORD_THREAD_SHIFT), 0);
  s.run = 0;
}

/** Counts an access, and appends its record. */
export function put(s: Lines, address: u64, size: u64, kind: u32, agent: u32, thread: u32, id: u32): void {
  if (kind == INSTRUCTION) {
    fetched(s, thread);
    return;
  }
  if (address >> KERNEL_SHIFT != 0) {
    s.kernel++;
    return;
  }
  if (kind == LOAD) s.loads++;
  else if (kind == STORE) s.stores++;
  else s.modifies++;
  s.device += u64(agent != 0);
  const about = kind | (agent << RECORD_AGENT_SHIFT) | (thread << RECORD_THREAD_SHIFT);
  append(s, address | (size << RECORD_SIZE_SHIFT), about, id);
}
