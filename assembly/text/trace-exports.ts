/** The text module's exports for the formats of trace.ts. A handle is the address of a decoder's state. */
import { ERROR_CHAMPSIM, Lines } from "./lines";
import { traceDecode as decode, traceEnd as end, traceFree as free, traceNew } from "./trace";

/** Characters of a wrong line that its error shows. */
const SHOWN: usize = 60;

/**
 * Makes a decoder of `format` (FORMAT_* of trace.ts), for chunks of at most `capacity` bytes. With `decimal`,
 * addresses without 0x are decimal. `size`: the bytes of an access where the format does not say. With
 * `runs`, instructions give records of runs.
 */
export function traceOpen(format: u32, capacity: u32, decimal: bool, size: u32, runs: bool): usize {
  return changetype<usize>(traceNew(format, capacity, decimal, size, runs));
}

/** Frees the decoder. */
export function traceClose(handle: usize): void {
  free(changetype<Lines>(handle));
}

/** The address where the caller writes a chunk, and that of the records that the last call made. */
export function traceInput(handle: usize): usize {
  return changetype<Lines>(handle).input;
}
export function traceOutput(handle: usize): usize {
  return changetype<Lines>(handle).output;
}

/**
 * Decodes the `length` bytes at traceInput, up to what is wrong. Returns the number of records at
 * traceOutput; traceError tells whether something was wrong.
 */
export function traceDecode(handle: usize, length: u32): u32 {
  return decode(changetype<Lines>(handle), length);
}

/** Ends the trace. Returns the number of records at traceOutput. */
export function traceEnd(handle: usize): u32 {
  return end(changetype<Lines>(handle));
}

/** Bytes of a line, or of a ChampSim instruction, that wait to be completed. */
export function tracePending(handle: usize): u32 {
  return <u32>changetype<Lines>(handle).carry;
}

/** ERROR_* of line `traceCounts()[0] + 1`; 0 without an error. */
export function traceError(handle: usize): u32 {
  return changetype<Lines>(handle).error;
}

/** The wrong line in quotes, with at most SHOWN characters and "?" for bytes that do not print. */
export function traceShown(handle: usize): string {
  const s = changetype<Lines>(handle);
  if (s.error == 0 || s.error == ERROR_CHAMPSIM) return "";
  const last = s.input + s.capacity;
  let text = "";
  for (let p = s.errorAt; p < last; p++) {
    const c = <i32>load<u8>(p);
    if (c == 10 || c == 13) break;
    if (p - s.errorAt == SHOWN) return "'" + text + "…'";
    text += c >= 0x20 && c < 0x7f ? String.fromCharCode(c) : "?";
  }
  return "'" + text + "'";
}

/**
 * Counts so far: lines, loads, stores, modifies, device accesses, kernel accesses, instructions, skipped
 * lines.
 */
export function traceCounts(handle: usize): Float64Array {
  const s = changetype<Lines>(handle);
  const counts = new Float64Array(8);
  counts[0] = <f64>s.lines;
  counts[1] = <f64>s.loads;
  counts[2] = <f64>s.stores;
  counts[3] = <f64>s.modifies;
  counts[4] = <f64>s.device;
  counts[5] = <f64>s.kernel;
  counts[6] = <f64>s.instructions;
  counts[7] = <f64>s.skipped;
  return counts;
}
