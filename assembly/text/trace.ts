/**
 * A streaming decoder of the traces that other tools write: of lines of text, or of ChampSim's 64-byte
 * instructions. The files named after the formats say what their lines are.
 *
 *   ┌─────────────────┬─────────────────────────┐
 *   │ incomplete line │ input: chunk            │      output: records of one chunk
 *   └─────────────────┴─────────────────────────┘
 *
 * The caller writes a chunk at `input`. The incomplete line at its end moves to before `input`, so that the
 * next chunk completes it in place. `output` has room for the most records that a chunk can give. Decoding
 * allocates nothing. What a file decodes to does not depend on how it is cut into chunks.
 */
import { RECORD_BYTES } from "../abi/record";
import { addrRwLine } from "./addr-rw";
import { CHAMPSIM_BYTES, champsimRecord } from "./champsim";
import { dineroLine } from "./dinero";
import { drmemtraceLine } from "./drmemtrace";
import { endRun, ERROR_LONG, ERROR_NUL, isBlank, Lines, refuse, skip } from "./lines";
import { endKernel, nvbitLine } from "./nvbit";
import { perfScriptLine } from "./perf-script";
import { pinatraceLine } from "./pinatrace";
import { threadsFree, threadsNew } from "./threads";

/** The formats; src/text/formats.ts has their names. */
const FORMAT_ADDR_RW: u32 = 0;
const FORMAT_PINATRACE: u32 = 1;
const FORMAT_DINERO: u32 = 2;
const FORMAT_PERF_SCRIPT: u32 = 3;
const FORMAT_NVBIT: u32 = 4;
const FORMAT_DRMEMTRACE: u32 = 5;
const FORMAT_CHAMPSIM: u32 = 6;

/** The longest line. A warp's line of NVBit's has some 700 bytes. */
const LINE_BYTES_MAX: usize = 4096;
/** The fewest bytes of text that give a record; "R 1\n" has four. */
const RECORD_TEXT_MIN: usize = 3;
/** Marks of kernels, of which one line gives two. */
const MARKS: usize = 4;

const LF: u32 = 0x0a;
const CR: u32 = 0x0d;
const HASH: u32 = 0x23;
const BYTE_ORDER_MARK: u32 = 0xbfbbef;

/** Allocates a decoder of chunks of at most `capacity` bytes. */
export function traceNew(format: u32, capacity: usize, decimal: bool, size: u32, runs: bool): Lines {
  const s = changetype<Lines>(heap.alloc(offsetof<Lines>()));
  memory.fill(changetype<usize>(s), 0, offsetof<Lines>());
  s.format = format;
  s.decimal = u32(decimal);
  s.size = size;
  s.runs = u32(runs);
  s.input = heap.alloc(LINE_BYTES_MAX + capacity) + LINE_BYTES_MAX;
  s.capacity = capacity;
  s.output = heap.alloc(((LINE_BYTES_MAX + capacity) / RECORD_TEXT_MIN + MARKS) * RECORD_BYTES);
  threadsNew(s);
  return s;
}

/** Frees the decoder and its buffers. */
export function traceFree(s: Lines): void {
  heap.free(s.input - LINE_BYTES_MAX);
  heap.free(s.output);
  threadsFree(s);
  heap.free(changetype<usize>(s));
}

/** Decodes the line from `at` to `end` by its format. */
function formatLine(s: Lines): bool {
  switch (s.format) {
    case FORMAT_ADDR_RW:
      return addrRwLine(s);
    case FORMAT_PINATRACE:
      return pinatraceLine(s);
    case FORMAT_DINERO:
      return dineroLine(s);
    case FORMAT_PERF_SCRIPT:
      return perfScriptLine(s);
    case FORMAT_NVBIT:
      return nvbitLine(s);
    case FORMAT_DRMEMTRACE:
      return drmemtraceLine(s);
  }
  return false; // ChampSim has no lines
}

/** Decodes the line in [p, end). Returns false, with the error set, if it is no line of the format. */
function decodeLine(s: Lines, p: usize, end: usize): bool {
  if (end - p > LINE_BYTES_MAX) return refuse(s, ERROR_LONG);
  if (
    s.lines == 0 &&
    end - p >= 3 &&
    ((<u32>load<u16>(p)) | ((<u32>load<u8>(p, 2)) << 16)) == BYTE_ORDER_MARK
  )
    p += 3;
  while (p < end && isBlank(load<u8>(p))) p++;
  while (p < end && (isBlank(load<u8>(end - 1)) || load<u8>(end - 1) == CR)) end--;
  if (p == end || load<u8>(p) == HASH) return skip(s);
  if (load<u8>(p) == 0) return refuse(s, ERROR_NUL);
  s.at = p;
  s.end = end;
  return formatLine(s);
}

/** Decodes the complete lines of [p, end), up to the first wrong one. Returns where the rest begins. */
function decodeLines(s: Lines, p: usize, end: usize): usize {
  for (let q = p; q < end; q++) {
    if (load<u8>(q) != LF) continue;
    if (!decodeLine(s, p, q)) {
      s.errorAt = p;
      return p;
    }
    s.lines++;
    p = q + 1;
  }
  return p;
}

/** Decodes the whole instructions of [p, end), up to the first wrong one. Returns where the rest begins. */
function decodeRecords(s: Lines, p: usize, end: usize): usize {
  for (; end - p >= CHAMPSIM_BYTES; p += CHAMPSIM_BYTES) {
    if (!champsimRecord(s, p)) break;
    s.lines++;
  }
  return p;
}

/**
 * Decodes the chunk of `length` bytes at `input`, up to a wrong line, which is line `lines + 1`. Returns the
 * number of records at `output`.
 */
export function traceDecode(s: Lines, length: usize): u32 {
  s.out = s.output;
  if (s.error != 0) return 0;
  const from = s.input - s.carry;
  const end = s.input + length;
  s.carry = 0;
  const rest = s.format == FORMAT_CHAMPSIM ? decodeRecords(s, from, end) : decodeLines(s, from, end);
  if (s.error == 0) {
    const bytes = end - rest;
    if (bytes > LINE_BYTES_MAX) {
      refuse(s, ERROR_LONG);
      s.errorAt = rest;
    } else {
      memory.copy(s.input - bytes, rest, bytes);
      s.carry = bytes;
    }
  }
  return <u32>((s.out - s.output) / RECORD_BYTES);
}

/**
 * Ends the trace: the kernel that runs ends, and the run of instructions. Returns the number of records at
 * `output`. The last line must have been completed.
 */
export function traceEnd(s: Lines): u32 {
  s.out = s.output;
  if (s.format == FORMAT_NVBIT) endKernel(s);
  endRun(s);
  return <u32>((s.out - s.output) / RECORD_BYTES);
}
