/**
 * S1: replay of hits: a stencil whose pages are all on the device after the first sweep. The rival is the
 * rate that is asked for, 60 million accesses a second, as the time of one access. Faults of the first sweep
 * count.
 */
import type { Row } from "../harness.ts";
import { recordsOf } from "../../src/microbench/replay.ts";
import { figure, replaying } from "../replaying.ts";

const SPEC = "stencil2d:size=64MiB,grain=8,iterations=2";
const SMOKE = "stencil2d:size=256KiB";
const LEAST = 60;

const row: Row = {
  title: "replay of hits: a stencil that fits device memory",
  unit: "access",
  async run(context) {
    const ours = replaying(recordsOf(context.smoke ? SMOKE : SPEC));
    const { hash } = await ours.run();
    return context.compare({
      ours,
      units: hash,
      rivals: [{ name: `${LEAST} M/s`, target: 1, sides: [figure((hash * 1e3) / LEAST, hash)] }],
    });
  },
};
export default row;
