/** A run that is looked at while it goes on has the report and the picture of one that is not. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Picture } from "../../src/report/picture.ts";
import { PictureRecorder } from "../../src/report/recorder.ts";
import { openWorkload, Simulation, type SimulationConfig, type SimulationReport } from "../../src/sim.ts";

const PARTS = { title: "", command: "", settings: [], ranges: [] };

/** Runs a workload, and looks at it after each block if asked to. */
async function run(
  spec: string,
  config: SimulationConfig,
  watched: boolean,
): Promise<{ picture: Picture; looks: { report: SimulationReport; picture: Picture }[] }> {
  const recorder = new PictureRecorder();
  using simulation = await Simulation.create({ systemMemory: "64MiB", backing: "metadata", ...config });
  simulation.listen(recorder);
  const workload = openWorkload(spec);
  const unit = config.time === undefined ? "accesses" : "ps";
  const looks = [];
  for (const { name, start, bytes } of workload.ranges) simulation.nameRange(name, start, bytes);
  for (const block of workload.blocks()) {
    for (let at = 0; at < block.length; at += 2 * 999) {
      simulation.feed(block.subarray(at, at + 2 * 999));
      if (!watched) continue;
      const report = simulation.peek();
      looks.push({ report, picture: recorder.picture({ ...PARTS, report, unit, length: null }) });
    }
  }
  const report = simulation.report();
  const length = report.timing?.total ?? simulation.replayed;
  return { picture: recorder.picture({ ...PARTS, report, unit, length }), looks };
}

const RUNS: [string, SimulationConfig & { time?: "pcie3-1080ti" | "gh200" }][] = [
  ["stencil2d:size=4MiB,grain=256", { deviceMemory: "2MiB" }],
  ["stencil2d:size=4MiB,grain=256", { deviceMemory: "2MiB", time: "gh200" }],
  ["gups:size=8MiB,updates=5000", { deviceMemory: "4MiB", memoryModel: "managed", time: "pcie3-1080ti" }],
];
const watch = suite("report: watched runs");
for (const [spec, config] of RUNS)
  watch(`${spec}, ${config.memoryModel ?? "hmm"}, ${config.time ?? "no times"}`, async () => {
    const [alone, { picture, looks }] = [await run(spec, config, false), await run(spec, config, true)];
    assert.ok(looks.length > 4, `${looks.length} looks`);
    assert.equal(picture, alone.picture);
    // What a look shows grows to what there is in the end.
    const faults = looks.map(({ report }) => report.faults.device + report.faults.cpu);
    assert.ok(faults.every((count, i) => i === 0 || count >= faults[i - 1]));
    assert.ok(faults.some((count) => count > 0));
    const { series, axis } = looks[looks.length >> 1].picture;
    assert.is(series.resident.length, axis.columns);
    assert.ok(axis.end < axis.width * axis.columns + axis.width);
  });
watch.run();
