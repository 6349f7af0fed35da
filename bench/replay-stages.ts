/**
 * Measures the stages of a replay: the steps of a simulation with a clock around each. Used by rows P7 and
 * P15.
 */
import type { Hmm } from "../src/index.ts";
import { GrowingSpace } from "../src/sim/space.ts";
import { SimDevice } from "../src/sim/device.ts";
import { RecordArray } from "../src/device/replay.ts";
import { settingsOf, type Settings } from "../src/sim/config.ts";
import { grow } from "../src/sim/space.ts";
import { median } from "./harness.ts";
import type { Context } from "./harness.ts";

/** Records that one call of the core replays, as in src/sim/simulation.ts. */
const BATCH = 1 << 15;

const STAGES = ["records", "translate", "fault", "fault back", "evict", "move in"] as const;
type Stage = (typeof STAGES)[number];
export type Stages = Record<Stage, number>;

/**
 * Makes one replay and returns the milliseconds of each stage. "records" is copying the records into the
 * engine and counting them; "fault" is CPU faults that RAM serves, "fault back" CPU faults that bring pages
 * back from the device.
 */
function stagesOf(hmm: Hmm, config: Pick<Settings, "deviceMemory">, records: BigUint64Array): Stages {
  const spent: Stages = { records: 0, translate: 0, fault: 0, "fault back": 0, evict: 0, "move in": 0 };
  let since = performance.now();
  const lap = (stage: Stage): void => {
    const now = performance.now();
    spent[stage] += now - since;
    since = now;
  };
  const mm = hmm.createMm();
  const device = new SimDevice(hmm, mm, new GrowingSpace(mm), settingsOf(config));
  const array = new RecordArray(hmm, BATCH);
  since = performance.now();
  for (let from = 0; from < records.length; from += 2 * BATCH) {
    const batch = records.subarray(from, from + 2 * BATCH);
    const n = batch.length / 2;
    array.set(batch);
    array.count(0, n);
    lap("records");
    for (let at = 0; at < n;) {
      const stop = array.replay(mm, [null, device.table], at, n);
      at = stop.at;
      lap("translate");
      if (stop.reason === "done") break;
      const { address, write } = stop;
      const vma = mm.findVma(address);
      if (stop.reason === "no-vma" || vma === null) {
        grow(mm, address);
        lap("fault");
      } else if (stop.reason === "cpu-fault") {
        const back = device.books.pages.out;
        mm.fault(address, { write });
        lap(device.books.pages.out === back ? "fault" : "fault back");
      } else {
        device.makeRoom(address);
        lap("evict");
        device.moveIn(vma, address, write ? "store" : "load");
        lap("move in");
      }
    }
  }
  array.close();
  mm.close();
  device.close();
  return spent;
}

/** Prints the median of each stage over a few replays, in nanoseconds an access. */
export function noteStages(
  name: string,
  hmm: Hmm,
  config: Pick<Settings, "deviceMemory">,
  records: BigUint64Array,
  context: Context,
): void {
  const runs = Array.from({ length: context.smoke ? 1 : 5 }, () => stagesOf(hmm, config, records));
  const text = STAGES.map((stage) => {
    const ns = (median(runs.map((run) => run[stage])) * 2e6) / records.length;
    return `${stage} ${ns.toFixed(2)}`;
  });
  context.note(`stages of ${name}, ns an access: ${text.join(" · ")}`);
}
