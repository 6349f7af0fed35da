/** Mutants of pictures, and of runs that are looked at while they go on. */
import type { Mutant } from "./mutant.ts";

export const PICTURES: readonly Mutant[] = [
  {
    name: "look-lets-the-parallel-device-run",
    file: "src/sim/simulation.ts",
    before: "if (this.#devices instanceof ManagedRun) this.#devices.count(this.#ledger);",
    after: "if (this.#devices instanceof ManagedRun) this.#devices.finish(this.#ledger);",
    ask: ["report/watched"],
  },
  {
    name: "look-settles-the-clock",
    file: "src/sim/ledger.ts",
    before: "    const now = this.#timeline.causes;\n",
    after: "    this.#timeline.settle();\n    const now = this.#timeline.causes;\n",
    ask: ["report/watched"],
  },
  {
    name: "look-at-a-gauge-stays-in-it",
    file: "src/report/time-axis.ts",
    before: "const copy = this.series.slice();",
    after: "const copy = this.series;",
    ask: ["report/picture"],
  },
  {
    name: "look-merges-the-axis",
    file: "src/report/recorder.ts",
    before: "? Math.min(this.#end, COLUMNS * this.#axis.width - 1)",
    after: "? 2 * COLUMNS * this.#axis.width",
    ask: ["report/watched"],
  },
  {
    name: "gauge-forgets-what-it-has-now",
    file: "src/report/time-axis.ts",
    before: "if (time > this.#last && this.value !== 0)\n      this.#axis.spread(copy",
    after: "if (time < this.#last && this.value !== 0)\n      this.#axis.spread(copy",
    ask: ["report/picture"],
  },
];
