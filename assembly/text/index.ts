/**
 * The text module: decodes traces for the heteromem command. as-bind binds it (tools/as-bind-transform.mjs,
 * src/text/bind.ts), so exports that are called at most once a chunk pass strings and typed arrays. A chunk's
 * bytes and its records stay in this module's memory, where the caller writes and reads them by address.
 *
 * A decoder's handle is the address of its state.
 */
import {
  ERROR_ADDRESS,
  ERROR_LINE,
  ERROR_LONG,
  ERROR_SIZE,
  lackeyDecode as decode,
  lackeyFree,
  lackeyNew,
} from "./lackey";
import { offloadEntries, offloadNew } from "./offload";
import { Lackey } from "./state";

/** Characters of a wrong line that its error shows. */
const SHOWN: i32 = 60;

/**
 * Makes a decoder of chunks of at most `capacity` bytes. Code at starts[i] <= pc < ends[i] is the device's
 * (offload.ts).
 */
export function lackeyOpen(capacity: u32, starts: Float64Array, ends: Float64Array): usize {
  return changetype<usize>(lackeyNew(capacity, offloadNew(starts, ends)));
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
 * Decodes the `length` bytes at lackeyInput. Returns the number of records at lackeyOutput; -1 after an
 * error.
 */
export function lackeyDecode(handle: usize, length: u32): i32 {
  return decode(changetype<Lackey>(handle), length);
}

/** Whether a last line without a newline waits to be completed. */
export function lackeyPending(handle: usize): bool {
  return changetype<Lackey>(handle).carry != 0;
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
      return "expected a size in bytes and the end of the line, found " + show(s.errorAt);
    case ERROR_LONG:
      return "the line is too long, it starts " + show(s.errorAt);
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
 * Counts so far: lines, instructions, accesses, stores, modifies, device accesses, kernel accesses, comments.
 */
export function lackeyCounts(handle: usize): Float64Array {
  const s = changetype<Lackey>(handle);
  const counts = new Float64Array(8);
  counts[0] = <f64>s.lines;
  counts[1] = <f64>s.instructions;
  counts[2] = <f64>s.accesses;
  counts[3] = <f64>s.stores;
  counts[4] = <f64>s.modifies;
  counts[5] = <f64>s.device;
  counts[6] = <f64>s.kernel;
  counts[7] = <f64>s.comments;
  return counts;
}

/** How often each offload range was entered, in the order of lackeyOpen. */
export function lackeyEntries(handle: usize): Float64Array {
  const offload = changetype<Lackey>(handle).offload;
  const entries = new Float64Array(offload.count);
  for (let i = 0; i < entries.length; i++) entries[i] = <f64>offloadEntries(offload, i);
  return entries;
}
