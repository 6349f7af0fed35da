/**
 * The text module: decodes traces for the heteromem command. as-bind binds it (tools/as-bind-transform.mjs,
 * src/text/bind.ts), so exports that are called at most once a chunk pass strings and typed arrays. A chunk's
 * bytes and its records stay in this module's memory, where the caller writes and reads them by address.
 *
 * A decoder's handle is the address of its state.
 */
import {
  Hmt,
  HMT_COLUMNS,
  HMT_EVENT,
  HMT_FORM,
  HMT_LEFT,
  HMT_NAMED,
  HMT_RECORDS,
  HMT_RUN,
  HMT_SITE,
  HMT_THREADS,
  hmtChecks as checks,
  hmtDecode as decodeBlock,
  hmtFree,
  hmtNew,
} from "./hmt";
import { joinLiterals } from "./hmt-split";
import { hmtDecodeMixed as decodeMixed } from "./hmt-threads";
import {
  ERROR_ADDRESS,
  ERROR_LINE,
  ERROR_LONG,
  ERROR_NUL,
  ERROR_SIZE,
  ERROR_VALGRIND,
  lackeyDecode as decode,
  lackeyEnd as end,
  lackeyFree,
  lackeyMore as more,
  lackeyNew,
} from "./lackey";
import { offloadEntries, offloadNew, offloadWaits } from "./offload";
import { Lackey } from "./state";

/** Characters of a wrong line that its error shows. */
const SHOWN: i32 = 60;

/**
 * Makes a decoder of chunks of at most `capacity` bytes. Code at starts[i] <= pc < ends[i] is the device's,
 * on a machine that calls as `calls` says (CALLS_* of offload.ts). With `skipForeign`, lines that are no
 * trace's are counted, and are no errors. Only lines of process `pid` are decoded, if that is not 0; the
 * first line is one of process `currentPid`. With `runs`, instructions give records of runs.
 */
export function lackeyOpen(
  capacity: u32,
  starts: Float64Array,
  ends: Float64Array,
  calls: u32,
  skipForeign: bool,
  pid: u32,
  currentPid: u32,
  runs: bool,
): usize {
  const s = lackeyNew(capacity, offloadNew(starts, ends, calls));
  s.skipForeign = u32(skipForeign);
  s.pid = pid;
  s.currentPid = currentPid;
  s.runs = u32(runs);
  return changetype<usize>(s);
}

/** Frees the decoder. */
export function lackeyClose(handle: usize): void {
  lackeyFree(changetype<Lackey>(handle));
}

/** The address where the caller writes a chunk. */
export function lackeyInput(handle: usize): usize {
  return changetype<Lackey>(handle).input;
}

/** The address of the records that the last lackeyDecode made. */
export function lackeyOutput(handle: usize): usize {
  return changetype<Lackey>(handle).output;
}

/**
 * Decodes the `length` bytes at lackeyInput, up to a wrong line. Returns the number of records at
 * lackeyOutput, of which lackeyMore may have more; lackeyErrorKind tells whether a line was wrong.
 */
export function lackeyDecode(handle: usize, length: u32): u32 {
  return decode(changetype<Lackey>(handle), length);
}

/** Goes on with the chunk: returns the number of further records at lackeyOutput, 0 at the chunk's end. */
export function lackeyMore(handle: usize): u32 {
  return more(changetype<Lackey>(handle));
}

/** Ends the trace. Returns the number of further records at lackeyOutput. */
export function lackeyEnd(handle: usize): u32 {
  return end(changetype<Lackey>(handle));
}

/** Whether a last line without a newline waits to be completed. */
export function lackeyPending(handle: usize): bool {
  return changetype<Lackey>(handle).carry != 0;
}

/** ERROR_* of line `lackeyCounts()[0] + 1`; 0 without an error. */
export function lackeyErrorKind(handle: usize): u32 {
  return changetype<Lackey>(handle).error;
}

/** What is wrong with line `lackeyCounts()[0] + 1`; "" without an error. */
export function lackeyError(handle: usize): string {
  const s = changetype<Lackey>(handle);
  switch (s.error) {
    case ERROR_LINE:
      return "expected 'I  addr,size' or ' L|S|M addr,size', found " + show(s.errorAt);
    case ERROR_ADDRESS:
      return "expected a hexadecimal address of 16 digits or fewer and a comma, found " + show(s.errorAt);
    case ERROR_SIZE:
      return "expected a size below 16 MiB and the end of the line, found " + show(s.errorAt);
    case ERROR_LONG:
      return "the line is too long, it starts " + show(s.errorAt);
    case ERROR_NUL:
      return "NUL bytes: the file was not written to its end";
    case ERROR_VALGRIND:
      return "valgrind itself failed: " + show(s.errorAt);
  }
  return "";
}

/** The line at `p` in quotes, with at most SHOWN characters and "?" for bytes that do not print. */
function show(p: usize): string {
  let text = "";
  for (let i = 0; i <= SHOWN; i++) {
    const c = <i32>load<u8>(p + i);
    if (c == 10 || c == 13) return "'" + text + "'";
    text += c >= 0x20 && c < 0x7f ? String.fromCharCode(c) : "?";
  }
  return "'" + text + "…'";
}

/**
 * Counts so far: lines, instructions, accesses, stores, modifies, device accesses, kernel accesses, comments,
 * superblocks, foreign lines, lines of other processes, the current process, CALLS_*, the rule's switches,
 * missed and stacks, and 1 while it waits for a return.
 */
export function lackeyCounts(handle: usize): Float64Array {
  const s = changetype<Lackey>(handle);
  const counts = new Float64Array(17);
  counts[0] = <f64>s.lines;
  counts[1] = <f64>s.instructions;
  counts[2] = <f64>s.accesses;
  counts[3] = <f64>s.stores;
  counts[4] = <f64>s.modifies;
  counts[5] = <f64>s.device;
  counts[6] = <f64>s.kernel;
  counts[7] = <f64>s.comments;
  counts[8] = <f64>s.superblocks;
  counts[9] = <f64>s.foreign;
  counts[10] = <f64>s.otherPid;
  counts[11] = <f64>s.currentPid;
  counts[12] = <f64>s.offload.calls;
  counts[13] = <f64>s.offload.switches;
  counts[14] = <f64>s.offload.missed;
  counts[15] = <f64>s.offload.stacks;
  counts[16] = offloadWaits(s.offload) ? 1 : 0;
  return counts;
}

/** The processes that lines have named, at most PIDS_MAX. */
export function lackeyProcesses(handle: usize): Float64Array {
  const s = changetype<Lackey>(handle);
  const pids = new Float64Array(s.processes);
  for (let i = 0; i < pids.length; i++) pids[i] = <f64>load<u32>(s.pids + ((<usize>i) << 2));
  return pids;
}

/** How often each offload range was entered, in the order of lackeyOpen. */
export function lackeyEntries(handle: usize): Float64Array {
  const offload = changetype<Lackey>(handle).offload;
  const entries = new Float64Array(offload.count);
  for (let i = 0; i < entries.length; i++) entries[i] = <f64>offloadEntries(offload, i);
  return entries;
}

/** A decoder of .hmt blocks (hmt.ts). */
export function hmtOpen(): usize {
  return changetype<usize>(hmtNew());
}

export function hmtClose(handle: usize): void {
  hmtFree(changetype<Hmt>(handle));
}

/** Where a block is to be written as it is stored, and where its payload is if that was packed. */
export function hmtStored(handle: usize): usize {
  return changetype<Hmt>(handle).stored;
}
export function hmtPlain(handle: usize): usize {
  return changetype<Hmt>(handle).plain;
}

/**
 * Joins the front of `front` bytes and the tails after it, `length` bytes together, which are at hmtParts, to
 * the payload at hmtPlain. Returns false if they are no parts of one payload.
 */
export function hmtJoin(handle: usize, front: u32, length: u32): bool {
  const s = changetype<Hmt>(handle);
  return joinLiterals(s.parts, front, length, s.plain);
}
export function hmtParts(handle: usize): usize {
  return changetype<Hmt>(handle).parts;
}

/** Where the records of the last block are. */
export function hmtOutput(handle: usize): usize {
  return changetype<Hmt>(handle).output;
}

/** Where the events of the last block are, 24 bytes each; how many they are. */
export function hmtEvents(handle: usize): usize {
  return changetype<Hmt>(handle).events;
}
export function hmtEventCount(handle: usize): u32 {
  return changetype<Hmt>(handle).eventCount;
}

/** Whether the block at hmtStored, with a payload of `length` bytes, has the checksum that it says. */
export function hmtChecks(handle: usize, length: u32): bool {
  return checks(changetype<Hmt>(handle), length);
}

/**
 * Decodes a block of `count` records, whose plain payload has `length` bytes. `thread` is theirs; -1: they
 * are of several threads. Returns `count`, or -1 after an error.
 */
export function hmtDecode(handle: usize, packed: bool, length: u32, count: u32, thread: i32): i32 {
  const s = changetype<Hmt>(handle);
  if (thread < 0) return decodeMixed(s, packed, length, count);
  return decodeBlock(s, packed, length, count, thread);
}

/** What is wrong with the block; "" if nothing is. */
export function hmtError(handle: usize): string {
  switch (changetype<Hmt>(handle).error) {
    case HMT_COLUMNS:
      return "the columns do not fill the payload";
    case HMT_SITE:
      return "a site has no size, or an unknown kind";
    case HMT_EVENT:
      return "an event is missing, or has an unknown kind";
    case HMT_RUN:
      return "a run is missing, or longer than three bytes";
    case HMT_FORM:
      return "a form is not defined, or its literal is missing";
    case HMT_NAMED:
      return "an access of a site that the block does not have";
    case HMT_RECORDS:
      return "more records than the block's header says";
    case HMT_LEFT:
      return "the block's columns are not used up by its records";
    case HMT_THREADS:
      return "the threads are not as many as the records";
  }
  return "";
}

export {
  hmtWriteBlock,
  hmtWriteClose,
  hmtWriteCount,
  hmtWriteEncode,
  hmtWriteEventCount,
  hmtWriteEvents,
  hmtWriteInput,
  hmtWriteMarks,
  hmtWriteNext,
  hmtWriteOpen,
  hmtWriteParts,
  hmtWriteSplit,
  hmtWriteSum,
  hmtWriteTake,
  hmtWriteThread,
  hmtWriteThreads,
} from "./hmt-write-exports";
export {
  traceClose,
  traceCounts,
  traceDecode,
  traceEnd,
  traceError,
  traceInput,
  traceOpen,
  traceOutput,
  tracePending,
  traceShown,
} from "./trace-exports";
