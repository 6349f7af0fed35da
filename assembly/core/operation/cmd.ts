// Commands: the state of operations in progress.
//
// An operation may need the outside before it can go on: subscribers must hear of a change first, or a driver
// has to bring a page back. WebAssembly cannot wait, so the operation keeps its state in a command block and
// returns REQUEST; resume() calls the same step function again, which continues from the block.
//
//   entry/*.ts: push a block, fill its fields ──▶ run() ──▶ xxxStep(cmd) ──▶ 0 or -errno ──▶ pop the block
//                                                   ▲            │
//                                                   │            ▼ REQUEST: the block stays
//                                                resume() ◀── TypeScript serves the request
//
// While TypeScript serves a request, other operations may begin and end: the blocks form a stack of
// COMMAND_COUNT. A step that runs again must come to the same request; notifyStart() recognizes the window
// that it opened and passes.
//
// A block is COMMAND_SIZE bytes. Its first part, the class Cmd, belongs to this file and to the helpers that
// may suspend inside any operation; the margin names each row's owner. The rest belongs to the operation: the
// file of its step function declares a class XxxCmd that extends Cmd with named fields.
//
//   0           4           8           12          16
//  ┌───────────┬───────────┬───────────┬───────────┐
//  │    op     │    mm     │   phase   │   error   │   0  what runs, where, how far; what reach() met
//  ├───────────┴───────────┼───────────┴───────────┤
//  │         start         │          end          │  16  the operation's range
//  ├───────────────────────┼───────────┬───────────┤
//  │        cursor         │   link    │unmapPhase │  32  how far; tell.ts; mapping/unmap.ts
//  ├───────────────────────┼───────────┴───────────┤
//  │      windowStart      │       windowEnd       │  48  notify.ts: the window that is open …
//  ├───────────┬───────────┼───────────┬───────────┤
//  │ windowMm  │windowEvent│  innerMm  │   edges   │  64  … and one inside it; split.ts: splitEdges()
//  ├───────────┴───────────┼───────────┴───────────┤
//  │      innerStart       │       innerEnd        │  80
//  ├───────────┬───────────┼───────────┬───────────┤
//  │ splitHead │ splitLink │ splitLeft │splitSecond│  96  split.ts: splitFolio()
//  ├───────────┼───────────┼───────────┼───────────┤
//  │ faultPage │faultTries │  newPage  │  ksmDone  │ 112  fault/fault.ts; ksm/ksm.ts: breakKsm()
//  ├───────────┴───────────┼───────────┴───────────┤
//  │       faultAddr       │    populateCursor     │ 128  fault/fault.ts; access/populate.ts
//  ├───────────────────────┼───────────────────────┘
//  │     populateFrom      │                         144
//  ├───────────────────────┴───────────────────────┐
//  │          the operation's own fields           │ 152
//  └───────────────────────────────────────────────┘ 256

import { COMMAND_COUNT, COMMAND_SIZE, COMMANDS, HDR_CMD_DEPTH, HEADER } from "../../abi/header";
import { RESOURCE_COMMANDS } from "../../abi/pool";
import { exhausted, header, setHeader, zeroObject } from "../base/layout";
import { none } from "../base/object";
import { pagesAt } from "../frame/order";

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
export const OP_MIGRATE_MOVE: u32 = 21;
export const OP_KSM: u32 = 24;

/** A command block, as far as all operations share it; the drawing above says who owns each field. */
@unmanaged
export class Cmd {
  /** OP_*. */
  op: u32;
  /** The address space's id; 0 for operations on files, devices and KSM. */
  mm: u32;
  /** The operation's own step counter; every operation begins in phase 0. */
  phase: u32;
  /** Why reach() (access/access.ts) found no entry: REQUEST or a negative errno. */
  error: i32;
  /** The range [start, end): addresses, or bytes of a file. */
  start: u64;
  end: u64;
  /** How far the operation is; begins at start. */
  cursor: u64;
  /** tell.ts: where the walk over the vmas that may map a page stands; 0 between walks. */
  link: u32;
  /** unmapRange(): 1 while the vmas are split and the subscribers are told. */
  unmapPhase: u32;
  /** notify.ts: the window that is open; windowMm is 0 when none is. */
  windowStart: u64;
  windowEnd: u64;
  windowMm: u32;
  windowEvent: u32;
  /** notify.ts: a second window, inside the first or alone; 0 when it is closed. */
  innerMm: u32;
  /** splitEdges(): which ends of the piece are done; 0 before and after. */
  edges: u32;
  innerStart: u64;
  innerEnd: u64;
  /** splitFolio(): the first pfn of the large folio being split, 0 none. */
  splitHead: u32;
  /** splitFolio(): the link of the reverse map whose vma is being told. */
  splitLink: u32;
  /** splitFolio(): entries that map the folio and have yet to be found. */
  splitLeft: u32;
  /** splitFolio(): 1 when the vma's first event is over and its second is due. */
  splitSecond: u32;
  /** handleFault(): the device page that a driver was asked to bring back, locked and referenced; 0 none. */
  faultPage: u32;
  /** handleFault(): how often drivers answered "done" without having moved the page. */
  faultTries: u32;
  /** copyPage(): the page, or the first of the large folio, allocated for a copy whose
   * notification is being served; 0 none. */
  newPage: u32;
  /** breakKsm(): pages of its range that are done; 0 before and after. */
  ksmDone: u32;
  /** handleFault(): the address of faultPage. */
  faultAddr: u64;
  /** populateLocked() and populateRange(): how far they are; 0 before and after. */
  populateCursor: u64;
  /** populateVma(): where the attempt that is under way began. */
  populateFrom: u64;
}

if (<i32>offsetof<Cmd>() > COMMAND_SIZE) ERROR("COMMAND_SIZE");

/** The block at a depth of the stack, 0 the oldest. */
@inline
function commandAt(depth: u32): Cmd {
  return changetype<Cmd>(HEADER + COMMANDS + depth * COMMAND_SIZE);
}

/**
 * Pushes a zeroed block for an operation on the stack. Null when COMMAND_COUNT operations are nested already.
 */
export function commandPush(op: u32, mm: u32): Cmd {
  const depth = header(HDR_CMD_DEPTH);
  if (depth == COMMAND_COUNT) {
    exhausted(RESOURCE_COMMANDS);
    return none<Cmd>();
  }
  const cmd = commandAt(depth);
  zeroObject(changetype<usize>(cmd), COMMAND_SIZE);
  cmd.op = op;
  cmd.mm = mm;
  setHeader(HDR_CMD_DEPTH, depth + 1);
  return cmd;
}

/** Drops the block on top of the stack. */
export function commandPop(): void {
  const depth = header(HDR_CMD_DEPTH);
  assert(depth > 0, "commandPop: no command");
  setHeader(HDR_CMD_DEPTH, depth - 1);
}

/** Returns the block on top of the stack; null if the stack is empty. */
export function commandTop(): Cmd {
  const depth = header(HDR_CMD_DEPTH);
  return depth ? commandAt(depth - 1) : none<Cmd>();
}

/** How many pages cmd.newPage stands for, with a reference each: 0 without one, more for a large folio. */
export function newPages(cmd: Cmd): u32 {
  return cmd.newPage ? pagesAt(cmd.newPage) : 0;
}

/** How many references operations in progress hold to the page. */
export function commandsHoldPage(pfn: u32): u32 {
  let n: u32 = 0;
  for (let depth: u32 = 0; depth < header(HDR_CMD_DEPTH); depth++) {
    const cmd = commandAt(depth);
    n += (cmd.faultPage == pfn ? 1 : 0) + (pfn - cmd.newPage < newPages(cmd) ? 1 : 0);
  }
  return n;
}

/** Has an operation in progress asked a driver to bring the page back? */
export function commandsServeFault(pfn: u32): bool {
  for (let depth: u32 = 0; depth < header(HDR_CMD_DEPTH); depth++)
    if (commandAt(depth).faultPage == pfn) return true;
  return false;
}

/** Counts the page references that operations in progress hold, for verify(). */
export function commandsHold(): u32 {
  let n: u32 = 0;
  for (let depth: u32 = 0; depth < header(HDR_CMD_DEPTH); depth++) {
    const cmd = commandAt(depth);
    n += (cmd.faultPage ? 1 : 0) + newPages(cmd);
  }
  return n;
}
