/**
 * What one line of a lackey trace gives, on the slow path: the records of its access, or the agent of its
 * instruction.
 */
import {
  RECORD_AGENT_SHIFT,
  RECORD_BYTES,
  RECORD_ID_SHIFT,
  RECORD_KIND_LOAD,
  RECORD_KIND_MODIFY,
  RECORD_KIND_STORE,
  RECORD_RUN,
  RECORD_RUN_MAX,
  RECORD_SIZE_MAX,
} from "../abi/record";
import { PAGE_SIZE } from "../uapi/page";
import {
  ACCESS_KIND_SHIFT,
  ACCESS_SIZE_MAX,
  CALLS_LINK,
  CALLS_PUSH,
  CALLS_UNKNOWN,
  offloadLearn,
  offloadStep,
} from "./offload";
import { KERNEL_SHIFT, Lackey, record } from "./state";

/** The letters that open the lines of accesses. */
export const I: u32 = 0x49;
export const L: u32 = 0x4c;
export const M: u32 = 0x4d;
export const S: u32 = 0x53;

/** The largest size of an access, which may touch 4,096 pages. */
export const SIZE_MAX: u32 = 0xfff000;
/** Every piece of a long access but the first and the last ends at a page bound, and has this many bytes. */
const PIECE_BYTES: u32 = RECORD_SIZE_MAX - (RECORD_SIZE_MAX % PAGE_SIZE);
/** The most records that one access gives. */
export const PIECES_MAX: usize = SIZE_MAX / PIECE_BYTES + 2;
/** Instructions without an odd length, after which the machine is taken for one with a link register. */
const LEARNING: u64 = 4096;

/** Counts an access, and appends its record or decides the agent of an instruction. */
export function takeAccess(s: Lackey, letter: u32, address: u64, size: u32): void {
  if (letter == I) {
    s.instructions++;
    s.agent = offloadStep(s.offload, address, s.last, s.next);
    if (s.runs != 0) joinRun(s);
    s.tail = ((<u64>s.agent) << RECORD_AGENT_SHIFT) | (address << RECORD_ID_SHIFT);
    if (isLearning(s)) learn(s, size);
    s.last = 0;
    s.next = address + size;
    return;
  }
  if (address >> KERNEL_SHIFT != 0) {
    s.kernel++;
    s.last = 0;
    return;
  }
  const kind: u64 = letter == S ? RECORD_KIND_STORE : letter == M ? RECORD_KIND_MODIFY : RECORD_KIND_LOAD;
  s.last = record(address, min(size, ACCESS_SIZE_MAX)) | (kind << ACCESS_KIND_SHIFT);
  for (let left = size; left != 0;) {
    const piece = left <= <u32>RECORD_SIZE_MAX ? left : pieceAt(address);
    store<u64>(s.out, record(address, piece));
    store<u64>(s.out, s.tail | kind, 8);
    s.out += RECORD_BYTES;
    s.stores += u64(kind == RECORD_KIND_STORE);
    s.modifies += u64(kind == RECORD_KIND_MODIFY);
    s.device += s.agent;
    address += piece;
    left -= piece;
  }
}

/** The bytes from `address` to the last page bound that a record from there reaches. */
@inline
function pieceAt(address: u64): u32 {
  return RECORD_SIZE_MAX - ((<u32>address + RECORD_SIZE_MAX) & (PAGE_SIZE - 1));
}

/** Adds the instruction to the run of its agent, or begins one. */
function joinRun(s: Lackey): void {
  if (s.run == RECORD_RUN_MAX || s.runAgent != s.agent) endRun(s);
  s.runAgent = s.agent;
  s.run++;
}

/** Appends the record of the run that is under way. */
export function endRun(s: Lackey): void {
  if (s.run == 0) return;
  store<u64>(s.out, record(0, s.run));
  store<u64>(s.out, RECORD_RUN | ((<u64>s.runAgent) << RECORD_AGENT_SHIFT), 8);
  s.out += RECORD_BYTES;
  s.accesses--; // whoever counts the records at `out` takes them for accesses
  s.run = 0;
}

/** Whether the trace has still to tell how the machine calls. Without ranges nobody needs to know. */
@inline
export function isLearning(s: Lackey): bool {
  return s.offload.calls == CALLS_UNKNOWN && s.offload.count != 0;
}

/** Learns from an instruction of `size` bytes how the machine calls. */
function learn(s: Lackey, size: u32): void {
  if (size & 1) offloadLearn(s.offload, CALLS_PUSH);
  else if (s.instructions >= LEARNING) offloadLearn(s.offload, CALLS_LINK);
}
