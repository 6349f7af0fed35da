/** The state of a decoder of lackey traces, and how its records are made (abi/record.ts draws them). */
import { RECORD_SIZE_SHIFT } from "../abi/record";
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

/** Addresses with this bit or a higher one are the kernel's. */
export const KERNEL_SHIFT: u64 = 47;

/** Processes that a decoder tells apart. */
export const PIDS_MAX: u32 = 64;

/** A decoder. Its buffers are drawn in lackey.ts. */
@unmanaged
export class Lackey {
  /** Where the caller writes a chunk of at most `capacity` bytes. */
  input: usize;
  capacity: usize;
  output: usize;
  /** Bytes of an incomplete line, which end where `input` begins. */
  carry: usize;
  offload: Offload;
  /** 1 while the rest of a long comment is being dropped. */
  dropping: u32;
  /** ERROR_*: what is wrong with the line at `errorAt`. Nothing is decoded after an error. */
  error: u32;
  errorAt: usize;
  /** 1 while the device runs. */
  agent: u32;
  /** The second word of the records of the current instruction's loads. */
  tail: u64;
  /** Lines that are no trace's are skipped and counted, instead of an error. */
  skipForeign: u32;
  /** The process whose lines are decoded; 0: of all processes. */
  pid: u32;
  /** The process of the last line that names one; 0: none did. */
  currentPid: u32;
  /**
   * Where the first PIDS_MAX processes that lines have named are listed (u32 each), and how many they are.
   */
  pids: usize;
  processes: u32;
  /** The last data access of the current instruction, as offload.ts draws it; 0 if it had none. */
  last: u64;
  /** The address after the current instruction. */
  next: u64;
  lines: u64;
  instructions: u64;
  /** 1: instructions give records of runs. */
  runs: u32;
  /** The instructions of the run that is under way, and its agent. */
  run: u32;
  runAgent: u32;
  /** Records, and how many of them are stores, modifies, and made by the device. */
  accesses: u64;
  stores: u64;
  modifies: u64;
  device: u64;
  /** Accesses to the kernel's half of the address space, which give no record. */
  kernel: u64;
  /** Lines that valgrind wrote about itself. */
  comments: u64;
  /** SB lines, which lackey prints with --trace-superblocks=yes. */
  superblocks: u64;
  /** Lines that are no trace's, and lines of other processes than `pid`. */
  foreign: u64;
  otherPid: u64;
  /** Where the next record goes. */
  out: usize;
  /** Where decoding of the chunk goes on, the end of its complete lines, and its end (0: it is done). */
  at: usize;
  complete: usize;
  end: usize;
  /** The end of the line that slowLine decoded. */
  lineEnd: usize;
}

/** The first word of a record of at most RECORD_SIZE_MAX bytes. */
@inline
export function record(address: u64, size: u32): u64 {
  return address | ((<u64>size) << RECORD_SIZE_SHIFT);
}
