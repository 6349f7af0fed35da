/** Mutants of the managed driver's rules and of the parallel device. */
import type { Mutant } from "./mutant.ts";

const POLICIES = "src/sim/policies";
const DRIVER = "src/sim/driver";

export const DRIVER_RULES: readonly Mutant[] = [
  {
    name: "prefetch-takes-the-smallest-dense-node",
    file: `${POLICIES}/density.ts`,
    before: "(end - first) * threshold) [from, to] = [first, end];",
    after: "(end - first) * threshold && to === page) [from, to] = [first, end];",
    ask: ["unit/density"],
  },
  {
    name: "half-of-a-node-is-dense-at-threshold-50",
    file: `${POLICIES}/density.ts`,
    before: "* 100 > (end - first) * threshold",
    after: "* 100 >= (end - first) * (threshold - 1)",
    ask: ["unit/density"],
  },
  {
    name: "thrashing-big-page-grows",
    file: `${POLICIES}/density.ts`,
    before: " && countBits(thrashing, first, end) === 0",
    after: "",
    ask: ["unit/density"],
  },
  {
    name: "victim-is-the-block-migrated-last",
    file: `${POLICIES}/lrm.ts`,
    before: "[victim] = this.#used;",
    after: "victim = [...this.#used].at(-1)!;",
    ask: ["unit/lrm", "unit/real"],
  },
  {
    name: "used-chunk-goes-before-an-unused-one",
    file: `${POLICIES}/lrm.ts`,
    before: "if (unused !== undefined) this.#unused.delete(unused);",
    after: "if (unused !== undefined && this.#used.size === 0) this.#unused.delete(unused);",
    ask: ["unit/lrm"],
  },
  {
    name: "second-shared-move-counts",
    file: `${POLICIES}/thrashing.ts`,
    before: "    last: -Infinity,\n    count: 0,",
    after: "    last: 0,\n    count: 0,",
    ask: ["unit/thrashing"],
  },
  {
    name: "exempt-processor-stays-exempt",
    file: `${POLICIES}/thrashing.ts`,
    before: "state.exempt = state.exempt === requester ? NOWHERE : requester;",
    after: "state.exempt = requester;",
    ask: ["unit/thrashing"],
  },
  {
    name: "accessed-by-holds-for-access-counters",
    file: `${POLICIES}/residency.ts`,
    before: " && !query.counter",
    after: "",
    ask: ["unit/residency"],
  },
  {
    name: "preferred-location-takes-pages-from-the-faulter",
    file: `${POLICIES}/residency.ts`,
    before: "if (prefers && (query.resident & (1 << faulter)) === 0) return { rule: 10",
    after: "if (prefers) return { rule: 10",
    ask: ["unit/residency"],
  },
  {
    name: "duplicate-is-served-with-the-weaker-access",
    file: `${DRIVER}/fault-buffer.ts`,
    before: "b.access - a.access",
    after: "a.access - b.access",
    ask: ["unit/fault-buffer"],
  },
  {
    name: "store-does-not-wait-for-the-warp-s-loads",
    file: `${DRIVER}/parallel-device.ts`,
    before: "if (warp.waiting > 0 && (store || warp.storing)) return false;",
    after: "if (warp.waiting > 0 && warp.storing) return false;",
    ask: ["unit/real", "unit/parallel"],
  },
  {
    name: "utlb-has-no-limit",
    file: `${DRIVER}/parallel-device.ts`,
    before: "if (this.#outstanding[utlb] >= this.#options.outstanding) return;",
    after: "",
    ask: ["unit/real", "unit/parallel"],
  },
  {
    name: "evicted-pages-stay-mapped-on-the-device",
    file: `${DRIVER}/managed-memory.ts`,
    before: "for (let q = 0; q < this.topology.processors; q++) this.limit(block, pages, q, RIGHTS_NONE);",
    after: "",
    ask: ["unit/invariants", "unit/engine"],
  },
  {
    name: "device-table-has-pages-that-were-not-used",
    file: `${DRIVER}/engine-mover.ts`,
    before: "return local && (hasBit(block.touched, i) || !hasBit(block.prefetched, i));",
    after: "return local;",
    ask: ["unit/engine", "unit/managed"],
  },
  {
    name: "what-the-device-s-table-knows-of-writes-is-lost",
    file: `${DRIVER}/engine-mover.ts`,
    before: "if ((words[i] & DEVICE_PFN_DIRTY) !== 0) setBit(block.dirty, i);",
    after: "",
    ask: ["unit/engine", "unit/managed"],
  },
  {
    name: "resident-copies-an-array-that-is-not-old",
    file: `${DRIVER}/baseline.ts`,
    before: "memory.makeResident(block, pages, p, null, !write);",
    after: "memory.makeResident(block, pages, p, null);",
    ask: ["unit/baseline"],
  },
  {
    name: "kernel-within-another-ends-it",
    file: `${DRIVER}/baseline.ts`,
    before: "if (!begins && this.#running === 0)",
    after: "if (!begins)",
    ask: ["unit/baseline"],
  },
];
