/**
 * The rule that tells who runs an instruction: the CPU or the device.
 *
 * The traced program ran on a CPU alone. Offload ranges name the code that counts as the device's (kernels,
 * in a GPU's words): from entering that code until leaving it, calls included, every load and store is the
 * device's. A trace shows the address of each instruction and its data accesses, and no more of control flow.
 * So the rule recognizes calls and returns by what they do:
 *
 *   call     control goes elsewhere than to the next instruction, and
 *            - on x86, the last data access of the calling instruction stores a word (4 or 8 bytes): the push
 *              of the return address, which is the address after the calling instruction;
 *            - on machines that keep the return address in a register, arrives at the first instruction of a
 *              range (so ranges must be whole functions there).
 *   return   control arrives at the return address, and on x86, the last data access of the returning
 *            instruction loads the word that the call has pushed. So recursion does not confuse the rule.
 *
 * An instruction of odd length tells x86; 4,096 instructions without one tell a machine with a register.
 *
 *          entered by a call                   entered by a jump (x86), a fall-through or a return
 *   CPU ─────────────────────> CALLED   CPU ────────────────────────────────────────────────> JUMPED
 *   CPU <───────────────────── CALLED   CPU <──────────────────────────────────────────────── JUMPED
 *         return from that call                an instruction outside all ranges, not by a push
 *
 *                                       JUMPED ──push, to outside all ranges──> OUTSIDE
 *                                       JUMPED <────return from that call────── OUTSIDE
 *
 *   CALLED   on the device until the entering call returns, whatever comes in between.
 *   JUMPED   on the device while instructions are in the ranges.
 *   OUTSIDE  on the device, in a function that device code called, until it returns.
 *
 * The push of the entering call is the CPU's, the pop of the return the device's.
 *
 * Entries: a range is entered when the device's code begins in it; when other device code calls into it, or
 * jumps to its first instruction (a tail call); and the first time that control arrives there in any way.
 *
 * A trace does not name threads. Where a switch of threads may show, it is counted:
 *
 *   switches  a return after which control goes elsewhere (the region ends all the same); control that
 *             leaves a range and comes back to the next instruction without a call
 *   missed    regions whose stack frame is gone without their return: after longjmp, an exception or a switch
 *   stacks    regions that begin on another stack than the region before
 */
import { RECORD_KIND_STORE } from "../abi/record";

const CPU: u32 = 0;
const CALLED: u32 = 1;
const JUMPED: u32 = 2;
const OUTSIDE: u32 = 3;

/** How the program's machine calls: not known yet, by a push (x86), by a register. */
export const CALLS_UNKNOWN: u32 = 0;
export const CALLS_PUSH: u32 = 1;
export const CALLS_LINK: u32 = 2;

// An access as the rule takes it: a word.
//
//   63  62 61         48 47                                     0
//  ┌──────┬─────────────┬────────────────────────────────────────┐
//  │ kind │    size     │                address                 │   kind: RECORD_KIND_*
//  └──────┴─────────────┴────────────────────────────────────────┘   size: at most ACCESS_SIZE_MAX
export const ACCESS_SIZE_MAX: u32 = 0x3fff;
export const ACCESS_KIND_SHIFT: u64 = 62;
const ACCESS_SIZE_SHIFT: u64 = 48;
const ADDRESS_MASK: u64 = (1 << ACCESS_SIZE_SHIFT) - 1;
/** The bit of an access that says store. */
const STORE_BIT: u64 = (<u64>RECORD_KIND_STORE) << ACCESS_KIND_SHIFT;
/** Accesses of one stack lie closer to each other than this; those of two threads' stacks do not. */
const STACK_BYTES: u64 = 1 << 22;
/** Frames of one region lie closer to each other than this. */
const REGION_BYTES: u64 = 1 << 27;
/** An address at which no instruction is. */
const NOWHERE: u64 = u64.MAX_VALUE;

/**
 * The state of the rule, followed by `count` ranges in order of their addresses:
 *
 *     0 ┌──────────┬──────────┐
 *       │ start    │ end      │  bytes start … end - 1 of code
 *    16 ├──────────┴──────────┤
 *       │ entries             │
 *    24 └─────────────────────┘
 */
@unmanaged
export class Offload {
  /** The interval that the last instruction was in: a range, or the gap between two. */
  lo: u64;
  /** Its length; 0 before the first instruction. */
  span: u64;
  /** The return address that ends CALLED and OUTSIDE. */
  returnPc: u64;
  /** The load that pops it; 0 where a register keeps it. */
  pop: u64;
  /** Where control goes on if it has left the ranges without a call or return, else NOWHERE. */
  leftAt: u64;
  /** Where the last region that began by a push has its return address; 0 none. */
  slot: u64;
  switches: u64;
  missed: u64;
  stacks: u64;
  /** The range of the interval, or -1 for a gap. */
  range: i32;
  mode: u32;
  count: u32;
  /** CALLS_*. */
  calls: u32;
}

const RANGE_BYTES: usize = 24;

/** Where range `index` is. */
@inline
function rangeAt(o: Offload, index: i32): usize {
  return changetype<usize>(o) + offsetof<Offload>() + <usize>index * RANGE_BYTES;
}

/**
 * Allocates the rule for `starts[i] <= pc < ends[i]`, sorted and disjoint, and for a machine that calls so.
 */
export function offloadNew(starts: Float64Array, ends: Float64Array, calls: u32): Offload {
  const count = starts.length;
  const bytes = offsetof<Offload>() + <usize>count * RANGE_BYTES;
  const o = changetype<Offload>(heap.alloc(bytes));
  memory.fill(changetype<usize>(o), 0, bytes);
  o.count = count;
  o.range = -1;
  o.calls = calls;
  o.returnPc = NOWHERE;
  o.leftAt = NOWHERE;
  for (let i = 0; i < count; i++) {
    store<u64>(rangeAt(o, i), <u64>starts[i], 0);
    store<u64>(rangeAt(o, i), <u64>ends[i], 8);
  }
  return o;
}

/** How often range `index` was entered. */
export function offloadEntries(o: Offload, index: i32): u64 {
  return load<u64>(rangeAt(o, index), 16);
}

/**
 * Whether device code that was entered by a call, or has called code outside the ranges, has not returned.
 */
export function offloadWaits(o: Offload): bool {
  return o.mode == CALLED || o.mode == OUTSIDE;
}

/** Sets the interval that `pc` is in. */
function locate(o: Offload, pc: u64): void {
  let lo: i32 = 0;
  let hi: i32 = o.count;
  while (lo < hi) {
    const mid = (lo + hi) >>> 1;
    if (load<u64>(rangeAt(o, mid), 8) > pc) hi = mid;
    else lo = mid + 1;
  }
  // lo is the first range that ends after pc.
  const last = lo == o.count;
  const start = last ? u64.MAX_VALUE : load<u64>(rangeAt(o, lo), 0);
  if (!last && pc >= start) {
    o.range = lo;
    o.lo = start;
    o.span = load<u64>(rangeAt(o, lo), 8) - start;
  } else {
    o.range = -1;
    o.lo = lo == 0 ? 0 : load<u64>(rangeAt(o, lo - 1), 8);
    o.span = start - o.lo;
  }
}

function enter(o: Offload): void {
  const entries = rangeAt(o, o.range);
  store<u64>(entries, load<u64>(entries, 16) + 1, 16);
}

/** Size and kind of an access, the bits above its address. */
@inline
function shapeOf(access: u64): u64 {
  return access >> ACCESS_SIZE_SHIFT;
}

/** Whether an access is a load of 4 or 8 bytes, by its shape. */
@inline
function isWord(shape: u64): bool {
  return shape == 8 || shape == 4;
}

/** A store of a word: what a call does last on x86. */
@inline
function isPush(access: u64): bool {
  return isWord(shapeOf(access ^ STORE_BIT));
}

/** A load of a word: what a return does last on x86. */
@inline
function isPop(access: u64): bool {
  return isWord(shapeOf(access));
}

/** Whether a push or pop lies below the return address of the region, where the frames of its callees are. */
function isBelow(o: Offload, access: u64): bool {
  return o.pop == 0 || ((o.pop - access) & ADDRESS_MASK) - 1 < REGION_BYTES;
}

/** Whether the instruction before has returned on x86, from a callee of the region's. */
function isReturn(o: Offload, last: u64): bool {
  if (o.calls == CALLS_LINK || !isPop(last)) return false;
  return (o.pop == 0 || shapeOf(last) == shapeOf(o.pop)) && isBelow(o, last);
}

/** Whether an access lies above it: the frame of the region is gone. */
function isAbove(o: Offload, access: u64): bool {
  return o.pop != 0 && ((access - o.pop) & ADDRESS_MASK) - 1 < REGION_BYTES;
}

/**
 * Waits for the return to `next` from a call, whose push was `push`, or 0 where a register has the address.
 */
function awaitReturn(o: Offload, mode: u32, push: u64, next: u64): void {
  o.mode = mode;
  o.returnPc = next;
  o.pop = push ? push ^ STORE_BIT : 0;
}

function stopWaiting(o: Offload, mode: u32): void {
  o.mode = mode;
  o.returnPc = NOWHERE;
  o.pop = 0;
}

/**
 * Whether control leaves the interval, or arrives where CALLED or OUTSIDE may end. If neither, offloadStep
 * would change nothing: in the mode CPU intervals are gaps, in JUMPED they are ranges.
 */
@inline
export function offloadLeaves(o: Offload, pc: u64): bool {
  return pc - o.lo >= o.span;
}

/** Whether an instruction is where CALLED or OUTSIDE may end. */
@inline
export function offloadReturns(o: Offload, pc: u64): bool {
  return pc == o.returnPc;
}

/**
 * Learns how the machine calls: an instruction of odd length is x86's. A region that began before ends by it.
 */
export function offloadLearn(o: Offload, calls: u32): void {
  o.calls = calls;
  if (calls == CALLS_PUSH && o.mode == CALLED && o.pop == 0) stopWaiting(o, o.range >= 0 ? JUMPED : CPU);
}

/** Whether the call that CALLED or OUTSIDE waits for has returned, by the instruction before `pc`. */
function hasReturned(o: Offload, pc: u64, last: u64, jumped: bool): bool {
  const popped = o.pop != 0 && last == o.pop && jumped;
  if (pc == o.returnPc) {
    if (o.pop == 0 || popped) return true;
    // A deeper call returns to the same place: recursion.
    if (jumped && isReturn(o, last)) return false;
  } else if (!popped) return false;
  o.switches++;
  return true;
}

/** Control arrives in a range, from another one or from outside, while the device runs: is this an entry? */
function arrive(o: Offload, pc: u64, last: u64, jumped: bool, pushed: bool): void {
  if (offloadEntries(o, o.range) == 0) return enter(o);
  if (!jumped) return;
  if (pc == o.leftAt) {
    o.switches++;
    return;
  }
  if (pushed) return enter(o);
  if (pc == o.lo && !isReturn(o, last)) enter(o);
}

/** Control arrives in a range while the CPU runs: a region begins, or goes on where control has left it. */
function begin(o: Offload, pc: u64, last: u64, next: u64, jumped: bool, pushed: bool): void {
  if (pc == o.leftAt) {
    o.switches++;
    o.mode = JUMPED;
    return;
  }
  enter(o);
  o.leftAt = NOWHERE;
  if (pushed) {
    const slot = last & ADDRESS_MASK;
    if (o.slot != 0 && slot - o.slot + STACK_BYTES > STACK_BYTES * 2) o.stacks++;
    o.slot = slot;
    awaitReturn(o, CALLED, last, next);
  } else if (jumped && pc == o.lo && o.calls != CALLS_PUSH) awaitReturn(o, CALLED, 0, next);
  else o.mode = JUMPED;
}

/**
 * Takes the instruction at `pc` and returns who runs it: 0 the CPU, 1 the device. `last` is the
 * last data access of the instruction before (0: it had none), `next` the address after that instruction.
 */
export function offloadStep(o: Offload, pc: u64, last: u64, next: u64): u32 {
  const before = o.range;
  if (pc - o.lo >= o.span) locate(o, pc);
  const inside = o.range >= 0;
  const jumped = pc != next;
  const stored = jumped && o.calls != CALLS_LINK && isPush(last);

  if (offloadWaits(o)) {
    if (hasReturned(o, pc, last, jumped)) stopWaiting(o, o.mode == CALLED ? CPU : JUMPED);
    else if (stored && isAbove(o, last)) {
      o.missed++;
      stopWaiting(o, CPU);
    }
  }
  if (o.mode == CPU) {
    if (inside) begin(o, pc, last, next, jumped, stored);
    return u32(inside);
  }
  const pushed = stored && isBelow(o, last);
  if (inside) {
    if (o.range != before) arrive(o, pc, last, jumped, pushed);
    return 1;
  }
  // Where a register keeps return addresses, a call out of the range shows in no other way.
  const called = pushed || (o.mode == CALLED && o.pop == 0);
  if (before >= 0) o.leftAt = jumped && !called && !isReturn(o, last) ? next : NOWHERE;
  if (o.mode != JUMPED) return 1;
  if (pushed) {
    awaitReturn(o, OUTSIDE, last, next);
    return 1;
  }
  o.mode = CPU;
  return 0;
}
