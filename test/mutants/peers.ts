/** Mutants of links between devices and of what named ranges have under HMM. */
import type { Mutant } from "./mutant.ts";

const PEERS = ["unit/peers"];
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
    before: "bits |= accessedIn(accessor, base);",
    after: "bits |= 0;",
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
    file: "src/sim/device-books.ts",
    before: "const along = bits & ~own;",
    after: "const along = bits;",
    ask: ["unit/range-uses"],
  },
  {
    name: "a-page-thrashes-each-time-that-it-comes",
    file: "src/sim/device-books.ts",
    before: "moveAll(base, again & ~thrashed,",
    after: "moveAll(base, again,",
    ask: ["unit/range-uses"],
  },
  {
    name: "a-range-has-all-pages-of-the-cluster-that-it-begins-in",
    file: "src/sim/range-counts.ts",
    before: "range !== undefined && base + CLUSTER_SIZE <= this.#last!.end",
    after: "range !== undefined",
    ask: ["unit/range-uses"],
  },
];
