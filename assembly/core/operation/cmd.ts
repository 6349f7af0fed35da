// Operations in progress. An operation that needs the outside leaves its state in its command block and returns
// REQUEST; it is run again when the request has been served. While a request is served, other operations may begin and
// end: the blocks form a stack. A block's fields mean what its operation says, but for those that notify.ts and
// fault.ts own.

import { COMMANDS, COMMAND_COUNT, COMMAND_SIZE, HDR_CMD_DEPTH, HEADER } from "../../abi/header";
import { RESOURCE_COMMANDS } from "../../abi/pool";
import { exhausted, header, setHeader, zeroObject } from "../base/layout";
import { none } from "../base/object";

export const OP_MMAP: u32 = 1;
export const OP_MUNMAP: u32 = 2;
export const OP_MPROTECT: u32 = 3;
export const OP_MADVISE: u32 = 4;
export const OP_MREMAP: u32 = 5;
export const OP_MLOCK: u32 = 6;
export const OP_FORK: u32 = 7;
export const OP_CLOSE: u32 = 8;
export const OP_ACCESS: u32 = 9;
export const OP_FAULT: u32 = 10;
export const OP_PIN: u32 = 11;
export const OP_RANGE_FAULT: u32 = 12;
export const OP_MIGRATE_SETUP: u32 = 13;
export const OP_MIGRATE_DEVICE_SETUP: u32 = 14;
export const OP_MIGRATE_PAGES: u32 = 15;
export const OP_EXCLUSIVE: u32 = 16;
export const OP_TRUNCATE: u32 = 17;
export const OP_PUNCH: u32 = 18;
export const OP_MSYNC: u32 = 19;
export const OP_UFFD: u32 = 20;
export const OP_KSM: u32 = 24;


@unmanaged
export class Cmd {
  op: u32;
  mm: u32;
  phase: u32;
  flags: u32;
  start: u64;
  end: u64;
  /** How far the operation is. */
  cursor: u64;
  target: u64;
  a: u32;
  b: u32;
  c: u32;
  d: u32;
  e: u32;
  f: u32;
  /** What the operation returns at its end. */
  result: i32;
  error: i32;
  // notify.ts: the window that is open.
  windowMm: u32;
  windowEvent: u32;
  windowStart: u64;
  windowEnd: u64;
  // … and one inside it.
  innerStart: u64;
  innerEnd: u64;
  innerMm: u32;
  // split.ts
  /** The large folio being split, 0 none; the rmap cursor; which of a vma's windows is next; entries still to be found. */
  splitHead: u32;
  splitLink: u32;
  splitSecond: u32;
  splitLeft: u32;
  // fault.ts
  /** The device page that a driver was asked to bring back, locked and referenced; 0 none. */
  faultPage: u32;
  faultTries: u32;
  faultAddr: u64;
  /** A page allocated for a copy whose notification is being served. */
  newPage: u32;
  // unmap.ts
  unmapPhase: u32;
  unmapCursor: u64;
  link: u32;
  /** split.ts: which ends of the piece are done. */
  edges: u32;
  /** ksm.ts: pages of the range that are looked at. */
  ksmDone: u32;
}

if (<i32>offsetof<Cmd>() > COMMAND_SIZE) ERROR("COMMAND_SIZE");


@inline
function commandAt(depth: u32): Cmd {
  return changetype<Cmd>(HEADER + COMMANDS + depth * COMMAND_SIZE);
}

/** A zeroed block on top of the stack; null when too many operations are nested. */
export function commandPush(op: u32, mm: u32): Cmd {
  const depth = header(HDR_CMD_DEPTH);
  if (depth == COMMAND_COUNT) {
    exhausted(RESOURCE_COMMANDS);
    return none<Cmd>();
  }
  const cmd = commandAt(depth);
  zeroObject(changetype<usize>(cmd), offsetof<Cmd>());
  cmd.op = op;
  cmd.mm = mm;
  setHeader(HDR_CMD_DEPTH, depth + 1);
  return cmd;
}

export function commandPop(): void {
  const depth = header(HDR_CMD_DEPTH);
  assert(depth > 0, "commandPop: no command");
  setHeader(HDR_CMD_DEPTH, depth - 1);
}

/** The operation on top of the stack; null if there is none. */
export function commandTop(): Cmd {
  const depth = header(HDR_CMD_DEPTH);
  return depth ? commandAt(depth - 1) : none<Cmd>();
}

/** Page references that operations in progress hold. */
export function commandsHold(): u32 {
  let n: u32 = 0;
  for (let depth: u32 = 0; depth < header(HDR_CMD_DEPTH); depth++) {
    const cmd = commandAt(depth);
    n += (cmd.faultPage ? 1 : 0) + (cmd.newPage ? 1 : 0);
  }
  return n;
}
