/**
 * The rule that tells who runs an instruction: the CPU or the device.
 *
 * The traced program ran on a CPU alone. Offload ranges name the code that counts as the device's (kernels,
 * in a GPU's words): from entering that code until leaving it, calls included, every load and store is the
 * device's. A trace shows the address of each instruction and its data accesses, and no more of control flow.
 * So the rule recognizes calls and returns by what they do to the stack:
 *
 *   push    the last data access of the instruction before was an 8-byte store at SP, and control did not go on
 *           to the next instruction: a call. It returns to the address after the calling instruction.
 *   pop     control arrives at that address, and the last data access of the instruction before was an 8-byte
 *           load at the same SP: the return from that call, at any depth of recursion.
 *
 *          entered by push                     entered by a jump, a fall-through or a return
 *   CPU ─────────────────────> CALLED   CPU ────────────────────────────────────────────────> JUMPED
 *   CPU <───────────────────── CALLED   CPU <──────────────────────────────────────────────── JUMPED
 *          pop of that push                    an instruction outside all ranges, not by push
 *
 *                                       JUMPED ──push, to outside all ranges──> OUTSIDE
 *                                       JUMPED <─────────pop of that push────── OUTSIDE
 *
 *   CALLED   on the device until the entering call returns, whatever comes in between.
 *   JUMPED   on the device while instructions are in the ranges.
 *   OUTSIDE  on the device, in a function that device code called, until it returns.
 *
 * The push of the entering call is the CPU's, the pop of the return the device's. Limits: a region that is
 * left by longjmp or an exception ends only when its return address is popped at its SP; entering by a tail
 * call through a stub counts as JUMPED, which ends at the return as well, since the caller is outside.
 *
 * A range's entry count tells how often it was entered: a region began in it, or a call came into it from
 * other device code. A range that was never entered was probably given a wrong address.
 */

const CPU: u32 = 0;
const CALLED: u32 = 1;
const JUMPED: u32 = 2;
const OUTSIDE: u32 = 3;

/** Size and kind of a data access as in its record (state.ts): 8 bytes stored, 8 bytes loaded. */
const PUSH: u64 = (8 << 48) | ((<u64>1) << 56);
const POP: u64 = 8 << 48;
const ADDRESS_MASK: u64 = (1 << 48) - 1;

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
  /** What ends CALLED and OUTSIDE: the return address, and the record of the load that pops it. */
  returnPc: u64;
  pop: u64;
  /** The range of the interval, or -1 for a gap. */
  range: i32;
  mode: u32;
  count: u32;
}

const RANGE_BYTES: usize = 24;


@inline
function rangeAt(o: Offload, index: i32): usize {
  return changetype<usize>(o) + offsetof<Offload>() + <usize>index * RANGE_BYTES;
}

/** Allocates the rule for `starts[i] <= pc < ends[i]`, sorted and disjoint (the caller has checked that). */
export function offloadNew(starts: Float64Array, ends: Float64Array): Offload {
  const count = starts.length;
  const bytes = offsetof<Offload>() + <usize>count * RANGE_BYTES;
  const o = changetype<Offload>(heap.alloc(bytes));
  memory.fill(changetype<usize>(o), 0, bytes);
  o.count = count;
  o.range = -1;
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

/** Waits for the return from the call whose push was `last` and whose next instruction is `next`. */
function awaitReturn(o: Offload, mode: u32, last: u64, next: u64): void {
  o.mode = mode;
  o.returnPc = next;
  o.pop = (last & ADDRESS_MASK) | POP;
}

/**
 * Whether control leaves the interval, or arrives where CALLED or OUTSIDE may end. If neither, offloadStep
 * would change nothing: in the mode CPU intervals are gaps, in JUMPED they are ranges.
 */
@inline
export function offloadLeaves(o: Offload, pc: u64): bool {
  return pc - o.lo >= o.span;
}


@inline
export function offloadReturns(o: Offload, pc: u64): bool {
  return pc == o.returnPc;
}

/**
 * Takes the instruction at `pc` and returns who runs it: 0 the CPU, 1 the device. `last` is the record of the
 * last data access of the instruction before (0: it had none), `next` the address behind that instruction.
 */
export function offloadStep(o: Offload, pc: u64, last: u64, next: u64): u32 {
  const before = o.range;
  if (pc - o.lo >= o.span) locate(o, pc);
  const inside = o.range >= 0;
  const pushed = (last & ~ADDRESS_MASK) == PUSH && pc != next;
  const popped = pc == o.returnPc && last == o.pop;

  if (o.mode == CALLED) {
    if (popped) o.mode = CPU;
  } else if (o.mode == OUTSIDE) {
    if (popped) o.mode = JUMPED;
  }
  switch (o.mode) {
    case CPU: {
      if (!inside) return 0;
      enter(o);
      if (pushed) awaitReturn(o, CALLED, last, next);
      else o.mode = JUMPED;
      return 1;
    }
    case JUMPED: {
      if (inside) break;
      if (!pushed) {
        o.mode = CPU;
        return 0;
      }
      awaitReturn(o, OUTSIDE, last, next);
      return 1;
    }
  }
  if (pushed && inside && o.range != before) enter(o);
  return 1;
}
