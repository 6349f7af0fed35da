// Loop nests: up to four loops around up to eight accesses, whose addresses follow from the loops' indices.
// Streams, stencils, matrix products, random updates, pointer chases, hash joins and key-value caches are all
// nests; TypeScript (src/sim/workload) describes them one after the other.
//
//   description, f64 each:
//    0      1         2..5    6..9            10       11
//   ┌──────┬─────────┬───────┬───────────────┬────────┬──────┐
//   │depth │accesses │trips  │thread strides │gathered│ key  │
//   └──────┴─────────┴───────┴───────────────┴────────┴──────┘
//   of access i, 16 numbers from 16 + 16 × i:
//    0    1    2    3    4     5   6..9     10    11   12
//   ┌────┬────┬────┬────┬─────┬───┬────────┬─────┬────┬──────┐
//   │mode│base│size│kind│agent│id │strides │count│unit│writes│
//   └────┴────┴────┴────┴─────┴───┴────────┴─────┴────┴──────┘
//
// Loop 0 is the outermost. `gathered` is the loop whose index selects one of the byte offsets at OFFSETS; 4:
// none.

import { described, describedF64, NEST, OFFSETS, RECORDS, RECORDS_MAX } from "./memory";
import { nextRandom, permute, scale } from "./random";
import { putRecord, tailOf } from "./record";
import { drawZipf, zipfEntries, zipfKept } from "./zipf";

/** An address that moves by a stride with each loop. */
const MODE_AFFINE: u32 = 0;
/** … and is shifted by the offset that the gathered loop selects. */
const MODE_GATHER: u32 = 1;
/** One of `count` units, at random. */
const MODE_RANDOM: u32 = 2;
// 3: each of `count` units, a power of two, once, in an order that the nest's key chooses: the n-th
// iteration's.
/**
 * One of `count` units by Zipf's distribution; ranks are scattered by the nest's key. Such an access is alone
 * in a loop.
 */
const MODE_ZIPF: u32 = 4;

const LOOPS: u32 = 4;
const KIND_STORE: u64 = 1;

/** The loop nest that runs. */
@unmanaged
class Nest {
  depth: u32;
  accesses: u32;
  /** The gathered loop; LOOPS: none. */
  gathered: u32;
  done: u32;
  /** Iterations so far. */
  iteration: u64;
  key: u64;
  trip0: u64;
  trip1: u64;
  trip2: u64;
  trip3: u64;
  index0: u64;
  index1: u64;
  index2: u64;
  index3: u64;
  /** By how much the thread changes when a loop goes on and those inside it start over. */
  thread0: u64;
  thread1: u64;
  thread2: u64;
  thread3: u64;
  thread: u64;
}

/** One access of the innermost loop. */
@unmanaged
class Access {
  mode: u32;
  bits: u32;
  /** Where it is now, without the gathered offset. */
  address: u64;
  size: u64;
  tail: u64;
  /** By how much the address changes when a loop goes on and those inside it start over. */
  step0: u64;
  step1: u64;
  step2: u64;
  step3: u64;
  count: u64;
  unit: u64;
  /** An access is a store if 64 random bits are below this. */
  writes: u64;
}

const ACCESSES: usize = NEST + 256;

/** The loop nest that runs. */
@inline
function nestOf(): Nest {
  return changetype<Nest>(NEST);
}

/** Access i of the innermost loop. */
@inline
function accessAt(i: u32): Access {
  return changetype<Access>(ACCESSES + <usize>i * offsetof<Access>());
}

/** A loop's word in a run of four. */
@inline
function wordAt(first: usize, i: u32): usize {
  return first + ((<usize>i) << 3);
}

const TRIPS: usize = NEST + offsetof<Nest>("trip0");
const INDICES: usize = NEST + offsetof<Nest>("index0");
const THREADS: usize = NEST + offsetof<Nest>("thread0");

/**
 * Turns strides into steps: when loop d goes on, the loops inside it have run to their ends and start over,
 * so the address moves by the stride of d less what they moved it.
 */
function stepsOf(strides: u32, depth: u32, steps: usize): void {
  for (let d: u32 = 0; d < depth; d++) {
    let step = <i64>describedF64(strides + d);
    for (let inner = d + 1; inner < depth; inner++)
      step -= <i64>describedF64(strides + inner) * <i64>(load<u64>(wordAt(TRIPS, inner)) - 1);
    store<u64>(wordAt(steps, d), <u64>step);
  }
}

/** Reads the description. Its accesses come from the next calls of {@link runNest}. */
export function beginNest(): void {
  const nest = nestOf();
  memory.fill(NEST, 0, 256);
  nest.depth = <u32>described(0);
  nest.accesses = <u32>described(1);
  nest.gathered = <u32>described(10);
  nest.key = described(11);
  for (let d: u32 = 0; d < nest.depth; d++) {
    store<u64>(wordAt(TRIPS, d), described(2 + d));
    if (!described(2 + d)) nest.done = 1;
  }
  stepsOf(6, nest.depth, THREADS);
  for (let i: u32 = 0; i < nest.accesses; i++) beginAccess(nest, accessAt(i), 16 + 16 * i);
}

function beginAccess(nest: Nest, access: Access, at: u32): void {
  access.mode = <u32>described(at);
  access.address = described(at + 1);
  access.size = described(at + 2);
  access.tail = tailOf(described(at + 3), described(at + 4), 0, described(at + 5));
  stepsOf(at + 6, nest.depth, changetype<usize>(access) + offsetof<Access>("step0"));
  access.count = described(at + 10);
  access.bits = 64 - <u32>clz(access.count - 1);
  access.unit = described(at + 11);
  const writes = describedF64(at + 12);
  access.writes = writes >= 1.0 ? <u64>-1 : <u64>(writes * 18446744073709551616.0);
}

/** Where an access of this iteration goes. */
@inline
function addressOf(access: Access, nest: Nest, gather: u64): u64 {
  const mode = access.mode;
  if (mode == MODE_AFFINE) return access.address;
  if (mode == MODE_GATHER) return access.address + gather;
  if (mode == MODE_RANDOM) return access.address + scale(nextRandom(), access.count) * access.unit;
  return access.address + permute(nest.iteration, access.bits, nest.key) * access.unit;
}

/** The unit of a rank: permuted among the next power of two of units until it is one of the access's own. */
@inline
function scatter(rank: u64, count: u64, bits: u64, key: u64): u64 {
  // Mostly it is one of the access's own after two permutations; how often is random, so nothing branches.
  const once = permute(rank, bits, key);
  const out: u64 = once >= count ? 1 : 0;
  let at = once ^ ((once ^ permute(once, bits, key)) & (0 - out));
  while (at >= count) at = permute(at, bits, key);
  return at;
}

/** The second word of an access that is a store as often as `writes` says; which ones is random. */
@inline
function storeOrNot(tail: u64, writes: u64): u64 {
  if (!writes) return tail;
  const store: u64 = nextRandom() < writes ? 1 : 0;
  return (tail & ~(0xff * store)) | (KIND_STORE * store);
}

/** The offset that the gathered loop selects now; 0 without one. */
@inline
function gatherOffset(nest: Nest): u64 {
  if (nest.gathered >= LOOPS) return 0;
  return <u64>load<f64>(OFFSETS + ((<usize>load<u64>(wordAt(INDICES, nest.gathered))) << 3));
}

/** Goes on to the next iteration. Returns false when there is none. */
@inline
function advance(nest: Nest): bool {
  let d = nest.depth - 1;
  for (;;) {
    const index = load<u64>(wordAt(INDICES, d)) + 1;
    if (index < load<u64>(wordAt(TRIPS, d))) {
      store<u64>(wordAt(INDICES, d), index);
      break;
    }
    store<u64>(wordAt(INDICES, d), 0);
    if (!d) return false;
    d--;
  }
  nest.iteration++;
  nest.thread += load<u64>(wordAt(THREADS, d));
  for (let i: u32 = 0; i < nest.accesses; i++) {
    const access = accessAt(i);
    const steps = changetype<usize>(access) + offsetof<Access>("step0");
    access.address += load<u64>(wordAt(steps, d));
  }
  return true;
}

/**
 * Appends records after the first `n`, until the nest ends or no iteration fits. Returns how many there are
 * then.
 */
export function runNest(n: u32): u32 {
  const nest = nestOf();
  if (nest.done) return n;
  if (accessAt(0).mode == MODE_ZIPF) return runZipf(nest, n);
  const end = RECORDS + 16 * <usize>(RECORDS_MAX - nest.accesses);
  let out = RECORDS + 16 * <usize>n;
  while (out <= end) {
    const gather = gatherOffset(nest);
    const thread = (nest.thread & 0xffff) << 16;
    for (let i: u32 = 0; i < nest.accesses; i++) {
      const access = accessAt(i);
      const address = addressOf(access, nest, gather);
      putRecord(out, address, access.size, storeOrNot(access.tail | thread, access.writes));
      out += 16;
    }
    if (!advance(nest)) {
      nest.done = 1;
      break;
    }
  }
  return <u32>((out - RECORDS) >> 4);
}

/** runNest() for an access by Zipf's distribution: what does not change is read once. */
function runZipf(nest: Nest, n: u32): u32 {
  const access = accessAt(0);
  const entries = zipfEntries();
  const kept = zipfKept();
  const count = access.count;
  const bits: u64 = access.bits;
  const unit = access.unit;
  const size = access.size;
  const writes = access.writes;
  const key = nest.key;
  const runs = min<u64>(nest.trip0 - nest.index0, RECORDS_MAX - n);
  let address = access.address;
  let thread = nest.thread;
  let out = RECORDS + 16 * <usize>n;
  const end = out + 16 * <usize>runs;
  for (; out < end; out += 16) {
    const at = address + scatter(drawZipf(entries, kept), count, bits, key) * unit;
    putRecord(out, at, size, storeOrNot(access.tail | ((thread & 0xffff) << 16), writes));
    address += access.step0;
    thread += nest.thread0;
  }
  access.address = address;
  nest.thread = thread;
  nest.iteration += runs;
  nest.index0 += runs;
  if (nest.index0 == nest.trip0) nest.done = 1;
  return n + <u32>runs;
}

/** Tells whether all accesses of the nest have been made. */
export function nestDone(): bool {
  return nestOf().done != 0;
}
