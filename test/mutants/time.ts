/** Mutants of the virtual clock and its fits (src/sim/time) and of the pictures (src/report). */
import type { Mutant } from "./mutant.ts";

const TIMELINE = "src/sim/time/timeline.ts";
const TIMES = ["unit/timeline", "unit/models"];
const PICTURE = ["report/picture"];
const PERFETTO = ["report/perfetto"];

export const TIME: readonly Mutant[] = [
  {
    name: "background-copy-does-not-wait-for-the-one-before",
    file: TIMELINE,
    before: "copy.start = Math.max(this.#now, this.#copied);",
    after: "copy.start = this.#now;",
    ask: TIMES,
  },
  {
    name: "service-does-not-wait-for-background-copies",
    file: TIMELINE,
    before: "    if (this.#copied <= this.#now) return;\n",
    after: "    return;\n",
    ask: TIMES,
  },
  {
    name: "device-computes-and-loads-one-after-the-other",
    file: TIMELINE,
    before: "      if (part === slowest) continue;\n",
    after: "      if (part === slowest) continue;\n      this.#now += part[1];\n",
    ask: TIMES,
  },
  {
    name: "transfer-to-ram-has-a-part-of-the-group",
    file: TIMELINE,
    before: 'if (this.#serving && direction === "toDevice") this.#take("transfer"',
    after: 'if (this.#serving) this.#take("transfer"',
    ask: TIMES,
  },
  {
    name: "group-has-one-fault",
    file: TIMELINE,
    before: 'this.#take("fault", group.pages * eachFault, group.pages);',
    after: 'this.#take("fault", eachFault, group.pages);',
    ask: TIMES,
  },
  {
    name: "evictions-copy-before-the-rest-where-nothing-is-said",
    file: "src/sim/time/costs.ts",
    before: 'background: model.evictions !== "before",',
    after: 'background: model.evictions === "background",',
    ask: TIMES,
  },
  {
    name: "uvm-smart-link-of-a-byte",
    file: "src/sim/time/costs.ts",
    before: "(2 * arctangent((slope.value * bytes) / KIB))",
    after: "(2 * arctangent(slope.value * bytes))",
    ask: TIMES,
  },
  {
    name: "events-of-one-time-in-any-order",
    file: "src/sim/time/event-queue.ts",
    before: "(one.time === other.time && one.sequence < other.sequence)",
    after: "(one.time === other.time && one.sequence > other.sequence)",
    ask: TIMES,
  },
  {
    name: "load-and-store-of-one-access-is-a-load",
    file: "src/sim/time/work.ts",
    before: "kind !== RECORD_KIND_STORE, kind !== RECORD_KIND_LOAD",
    after: "kind !== RECORD_KIND_STORE, kind === RECORD_KIND_STORE",
    ask: TIMES,
  },
  {
    name: "tlb-replaces-the-most-recent",
    file: "src/sim/time/tlb.ts",
    before: "for (let i = Math.min(at, end - 1); i > first; i--) entries[i] = entries[i - 1];",
    after: "",
    ask: TIMES,
  },
  {
    name: "tail-is-not-in-the-total",
    file: "src/sim/time/timing.ts",
    before: 'const late = cause === "toHost" ? tail : 0;',
    after: "const late = 0;",
    ask: TIMES,
  },
  {
    name: "interval-is-one-sided",
    file: "src/sim/time/timing.ts",
    before: "low: total - error,",
    after: "low: total,",
    ask: TIMES,
  },
  {
    name: "fit-counts-long-runs-more",
    file: "src/sim/time/fit.ts",
    before: "const [a, b, c] = [first / time, second / time, (time - known) / time];",
    after: "const [a, b, c] = [first, second, time - known];",
    ask: ["unit/fit"],
  },
  {
    name: "columns-that-merge-keep-one-of-two",
    file: "src/report/time-axis.ts",
    before: "series[i] = series[2 * i] + series[2 * i + 1];",
    after: "series[i] = series[2 * i];",
    ask: PICTURE,
  },
  {
    name: "span-of-time-falls-into-its-last-column",
    file: "src/report/time-axis.ts",
    before: "if (first === last || end <= start) {",
    after: "if (first <= last) {",
    ask: PICTURE,
  },
  {
    name: "rows-that-merge-keep-one-of-two",
    file: "src/report/heat-map.ts",
    before: "        other.device.merge(row.device, time);\n",
    after: "",
    ask: PICTURE,
  },
  {
    name: "page-that-came-twice-counts-twice",
    file: "src/report/heat-map.ts",
    before: "      if (was === came) continue;\n",
    after: "",
    ask: PICTURE,
  },
  {
    name: "picture-forgets-what-evictions-copy",
    file: "src/report/recorder.ts",
    before: 'if (cause === "eviction") axis.spread(sums.bytesEvicted',
    after: 'if (cause === "write-back") axis.spread(sums.bytesEvicted',
    ask: PICTURE,
  },
  {
    name: "transfer-in-perfetto-has-no-fault",
    file: "src/report/perfetto/trace.ts",
    before: "      if (this.#serving) event.fixed64(EVENT.flow, this.#flow);\n",
    after: "",
    ask: PERFETTO,
  },
  {
    name: "counter-in-perfetto-only-grows",
    file: "src/report/perfetto/trace.ts",
    before: "(came ? 1 : -1) * pages * PAGE_BYTES",
    after: "pages * PAGE_BYTES",
    ask: PERFETTO,
  },
  {
    name: "warps-go-on-when-one-of-them-does",
    file: "src/sim/driver/parallel-device.ts",
    before: "if (--this.#waits[warp.utlb] === 0)",
    after: "if (--this.#waits[warp.utlb] >= 0)",
    ask: PERFETTO,
  },
];
