/** Mutants of links between devices and of what named ranges have under HMM. */
import type { Mutant } from "./mutant.ts";

const PEERS = ["unit/peers"];
const MANAGED = ["unit/managed-devices"];
const SUMS = ["unit/range-sums"];
const FATES = "src/sim/page-fates.ts";
const MARKS = "src/sim/access-marks.ts";

export const LINKS: readonly Mutant[] = [
  {
    name: "stores-over-a-link-leave-a-page-clean",
    file: MARKS,
    before: "return isDirty(this.#device) || this.accessors.some(isDirty);",
    after: "return isDirty(this.#device);",
    ask: PEERS,
  },
  {
    name: "uses-over-a-link-are-none-of-a-range's",
    file: MARKS,
    before: "for (const accessor of this.accessors) bits |= accessedIn(accessor, base);",
    after: "",
    ask: ["unit/range-uses"],
  },
  {
    name: "a-migration-drops-entries-of-pages-on-other-devices",
    file: "src/sim/device-driver.ts",
    before: "if (others.length === 0) return null;",
    after: "return null;",
    ask: PEERS,
  },
  {
    name: "links-lead-everywhere",
    file: "src/sim/peers.ts",
    before: "return this.#linked.has(8 * a + b);",
    after: "return this.#linked.size > 0 && a !== b;",
    ask: PEERS,
  },
  {
    name: "a-home-needs-no-link",
    file: "src/sim/peers.ts",
    before: "return this.linked(home, device) ? home : device;",
    after: "return home;",
    ask: PEERS,
  },
  {
    name: "the-first-access-over-a-new-map-is-no-use",
    file: "src/sim/follower.ts",
    before: "const waits = !brought && holder !== undefined && holder !== this.#device;",
    after: "const waits = false;",
    ask: PEERS,
  },
  {
    name: "loads-over-a-link-take-no-bytes",
    file: "assembly/core/access/count-peers.ts",
    before: "add(count + 16, <f64>bytes);",
    after: "add(count + 16, 0);",
    ask: PEERS,
  },
  {
    name: "the-page-that-faults-comes-along",
    file: FATES,
    before: "const along = bits & ~own;",
    after: "const along = bits;",
    ask: ["unit/range-uses"],
  },
  {
    name: "a-page-thrashes-each-time-that-it-comes",
    file: FATES,
    before: 'this.#note("bytesThrashed", base, again & ~thrashed)',
    after: 'this.#note("bytesThrashed", base, again)',
    ask: ["unit/range-uses"],
  },
  {
    name: "a-range-has-all-pages-of-the-cluster-that-it-begins-in",
    file: "src/sim/range-counts.ts",
    before: "range !== undefined && base + CLUSTER_SIZE <= this.#last!.end",
    after: "range !== undefined",
    ask: ["unit/range-uses"],
  },
  {
    name: "pages-leave-before-their-uses-are-noted",
    file: "src/sim/device-books.ts",
    before: "if (fates.followsUses) fates.used(base, mover.used(base));",
    after: "",
    ask: ["unit/range-uses"],
  },
  {
    name: "a-transfer-ends-with-its-64-kib",
    file: "src/sim/page-runs.ts",
    before: "if (word === (first < 0 ? 0 : ALL_PAGES)) continue;",
    after: "if (first >= 0) visit(first, base);\n    first = -1;",
    ask: SUMS,
  },
  {
    name: "an-access-over-a-link-is-one-of-ram",
    file: "assembly/core/access/count-remote.ts",
    before: "holder ? RANGE_COUNTS_PEER : RANGE_COUNTS_RAM",
    after: "RANGE_COUNTS_RAM",
    ask: SUMS,
  },
  {
    name: "a-device-s-own-memory-is-remote",
    file: "assembly/core/access/count-remote.ts",
    before: "if (holder == agent) continue;",
    after: "",
    ask: SUMS,
  },
  {
    name: "sizes-that-did-not-occur-stay",
    file: "src/sim/paging-counts.ts",
    before: "filter(([, count]) => count !== 0)",
    after: "filter(() => true)",
    ask: SUMS,
  },
  {
    name: "evicted-duplicates-are-none-of-a-range-s-evictions",
    file: "src/sim/range-mover.ts",
    before: 'if (evicted) this.#note(block, pages, "bytesOutEvicted");',
    after: "",
    ask: SUMS,
  },
  {
    name: "faults-that-wait-are-no-faults-of-a-range",
    file: "src/sim/driver/service.ts",
    before: 'if (p !== CPU && cause === "fault") this.#memory.mover.faulted(block, i, p, true);',
    after: "",
    ask: SUMS,
  },
  {
    name: "devices-without-a-link-copy-directly",
    file: "src/sim/driver/managed-memory.ts",
    before: "const byRam = from !== CPU && to !== CPU && !canMap(this.topology, to, from);",
    after: "const byRam = false;",
    ask: MANAGED,
  },
  {
    name: "a-link-is-no-fast-one",
    file: "src/sim/driver/processor.ts",
    before: "for (const masks of [all.maps, all.atomics, all.fast]) {",
    after: "for (const masks of [all.maps, all.atomics]) {",
    ask: MANAGED,
  },
  {
    name: "pages-of-linked-devices-always-stay",
    file: "src/sim/policies/residency.ts",
    before: "(query.peers === true && nearest > CPU)",
    after: "nearest > CPU",
    ask: MANAGED,
  },
  {
    name: "duplicates-stay-on-the-device-in-the-engine",
    file: "src/sim/driver/engine-mover.ts",
    before: "const alone = pagesWhere(pages, (i) => block.holders(i) === was);",
    after: "const alone = pagesWhere(pages, () => false);",
    ask: MANAGED,
  },
  {
    name: "a-store-over-a-link-leaves-the-managed-page-clean",
    file: "src/sim/driver/parallel-device.ts",
    before: "if (store) setBit(block.dirty[holder], i);",
    after: "",
    ask: MANAGED,
  },
  {
    name: "advice-is-about-the-first-device",
    file: "src/sim/managed-config.ts",
    before: "p: p === CPU ? CPU : device",
    after: "p",
    ask: MANAGED,
  },
  {
    name: "devices-run-one-after-the-other",
    file: "src/sim/driver/machine.ts",
    before: "let running = this.#lanes.filter(({ pending }) => pending.length > 0);",
    after: "let running = this.#lanes.filter(({ pending }) => pending.length > 0).slice(0, 1);",
    ask: MANAGED,
  },
];
