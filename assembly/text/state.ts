/**
 * The state of a decoder of lackey traces, and its records.
 *
 * A record is a little-endian u64:
 *
 *      63        61 60 59  58 57 56 55          48 47                                             0
 *     ├────────────┼──┼──────┼─────┼──────────────┼───────────────────────────────────────────────┤
 *     │ 0          │ A│ 0    │ K   │ size         │ address                                       │
 *     └────────────┴──┴──────┴─────┴──────────────┴───────────────────────────────────────────────┘
 *     A  who accesses: 0 CPU, 1 device        K  0 load, 1 store, 2 modify
 *     size in bytes, 255 for anything longer
 */
import { Offload } from "./offload";

/** What the line of an access begins with: three characters. */
export const INSTRUCTION: u32 = 0x202049; // "I  "
export const LOAD: u32 = 0x204c20; // " L "
export const STORE: u32 = 0x205320; // " S "
export const MODIFY: u32 = 0x204d20; // " M "
export const PREFIX_BYTES: usize = 3;
export const PREFIX_MASK: u32 = 0xffffff;

export const COMMA: u32 = 0x2c;
export const ZERO: u32 = 0x30;

export const AGENT_SHIFT: u64 = 60;
export const KIND_STORE: u64 = (<u64>1) << 56;
export const KIND_MODIFY: u64 = (<u64>2) << 56;
const SIZE_SHIFT: u64 = 48;
/** Addresses with a bit from this one on are the kernel's. */
export const KERNEL_SHIFT: u64 = 47;


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
  /** Where the next record goes. */
  out: usize;
  /** The end of the line that slowLine took. */
  lineEnd: usize;
}

/** The record of a load by the CPU. */
// @ts-ignore: decorator
@inline
export function record(address: u64, size: u32): u64 {
  return address | ((<u64>size) << SIZE_SHIFT);
}
