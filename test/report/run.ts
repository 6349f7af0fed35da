/** Pictures of runs, for tests. */
import type { Picture } from "../../src/report/picture.ts";
import { PictureRecorder } from "../../src/report/recorder.ts";
import { feedAll, openWorkload, Simulation, type SimulationConfig } from "../../src/sim.ts";

/** Runs a workload and returns its picture. */
export async function pictureOf(spec: string, config: SimulationConfig): Promise<Picture> {
  const recorder = new PictureRecorder();
  using simulation = await Simulation.create({ systemMemory: "64MiB", backing: "metadata", ...config });
  simulation.listen(recorder);
  const workload = openWorkload(spec);
  await feedAll(simulation, workload);
  const report = simulation.report();
  return recorder.picture({
    title: spec,
    command: `heteromem run --workload ${spec}`,
    settings: [["workload", spec]],
    report,
    unit: report.timing === null ? "accesses" : "ps",
    length: report.timing?.total ?? simulation.replayed,
    ranges: [...workload.ranges],
  });
}

/** Hotspot on a GTX 1080 Ti that has 10 MiB left. */
export function hotspotPicture(): Promise<Picture> {
  const managed = { memoryModel: "managed", deviceThreads: "one" } as const;
  return pictureOf("hotspot", { ...managed, deviceMemory: "10MiB", time: "pcie3-1080ti" });
}
