/** The text module's exports for writing .hmt traces (hmt-write.ts). A handle is the address of a writer. */
import { splitLiterals, takeLiterals } from "./hmt-split";
import { hmtEncode, hmtNext, hmtSum, hmtTake } from "./hmt-write";
import { BLOCK_HEADER, HmtWrite, hmtWriteFree, hmtWriteNew } from "./hmt-write-state";

/** Makes a writer. */
export function hmtWriteOpen(): usize {
  return changetype<usize>(hmtWriteNew());
}

export function hmtWriteClose(handle: usize): void {
  hmtWriteFree(changetype<HmtWrite>(handle));
}

/** Where records are to be written, 65,536 at most, and where a block is made: header and payload. */
export function hmtWriteInput(handle: usize): usize {
  return changetype<HmtWrite>(handle).input;
}
export function hmtWriteBlock(handle: usize): usize {
  return changetype<HmtWrite>(handle).block;
}

/** Where the events of the block are to be written, and where the indices of their records are. */
export function hmtWriteEvents(handle: usize): usize {
  return changetype<HmtWrite>(handle).events;
}
export function hmtWriteMarks(handle: usize): usize {
  return changetype<HmtWrite>(handle).marks;
}

/** How many records the block has so far, and how many of them are events. */
export function hmtWriteCount(handle: usize): u32 {
  return changetype<HmtWrite>(handle).count;
}
export function hmtWriteEventCount(handle: usize): u32 {
  return changetype<HmtWrite>(handle).eventCount;
}

/**
 * Takes up to `added` records, which follow the block's others at hmtWriteInput. Returns how many; if not
 * all, the block is to be made.
 */
export function hmtWriteTake(handle: usize, added: u32): u32 {
  return hmtTake(changetype<HmtWrite>(handle), added);
}

/** Makes the block's payload, behind a header at hmtWriteBlock. Returns its length. */
export function hmtWriteEncode(handle: usize): u32 {
  return hmtEncode(changetype<HmtWrite>(handle));
}

/**
 * Splits the payload of `length` bytes that hmtWriteEncode made into a front and the tails of its literals,
 * which lie at hmtWriteParts, one after the other. Returns the front's length.
 */
export function hmtWriteSplit(handle: usize, length: u32, whole: bool): u32 {
  const s = changetype<HmtWrite>(handle);
  const payload = s.block + BLOCK_HEADER;
  return whole ? takeLiterals(payload, length, s.parts) : splitLiterals(payload, length, s.parts);
}
export function hmtWriteParts(handle: usize): usize {
  return changetype<HmtWrite>(handle).parts;
}

/** The thread of the block that was made; -1 if it has several. */
export function hmtWriteThread(handle: usize): i32 {
  const s = changetype<HmtWrite>(handle);
  return s.mixed != 0 ? -1 : <i32>s.thread;
}

/** Begins another block. */
export function hmtWriteNext(handle: usize): void {
  hmtNext(changetype<HmtWrite>(handle));
}

/** The checksum of the block at hmtWriteBlock, with a payload of `length` bytes. */
export function hmtWriteSum(handle: usize, length: u32): u32 {
  return hmtSum(changetype<HmtWrite>(handle), length);
}

/** How many threads the trace has so far. */
export function hmtWriteThreads(handle: usize): u32 {
  return changetype<HmtWrite>(handle).threadCount;
}
