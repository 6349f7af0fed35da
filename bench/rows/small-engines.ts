/**
 * P21: an engine of 16 MiB boots, as each test of a driver boots one, and 64 engines stay in one process. The
 * "rivals" are units: 1 ms, and 1 MiB of resident memory an engine.
 */
import { Hmm } from "../../src/index.ts";
import { MIB, PRIVATE } from "../engine.ts";
import type { Result, Row, Side } from "../harness.ts";
import { size, unit } from "../units.ts";

const ENGINES = 64;
/** Bytes that each of the engines that stay touches. */
const TOUCHED = MIB;

const create = (): Hmm => Hmm.createSync({ systemMemory: 16 * MIB, deviceMemory: 16 * MIB });

const boot: Side = {
  run() {
    const clock = performance.now();
    const hmm = create();
    const ns = (performance.now() - clock) * 1e6;
    hmm.close();
    return { ns, hash: 0 };
  },
};

/** Returns the resident memory that an engine adds to the process after it has touched TOUCHED bytes. */
function residentBytes(engines: number): number {
  const kept: Hmm[] = [];
  const before = process.memoryUsage().rss;
  for (let i = 0; i < engines; i++) {
    const hmm = create();
    const mm = hmm.createMm();
    mm.populate(mm.mmap({ length: TOUCHED, ...PRIVATE }), TOUCHED);
    kept.push(hmm);
  }
  const after = process.memoryUsage().rss;
  for (const hmm of kept) hmm.close();
  return Math.max(after - before, 1) / engines;
}

const row: Row = {
  title: `boot with 16 MiB + 16 MiB; resident memory of ${ENGINES} engines that touch 1 MiB each`,
  unit: "boot · engine",
  async run(context) {
    const resident = residentBytes(context.smoke ? 2 : ENGINES);
    const results: Result[] = [
      ...(await context.compare({ ours: boot, units: 1, rivals: [unit("boot-in-ms", 1e6, 1)] })),
      ...(await context.compare({
        ours: size(resident),
        units: 1,
        rivals: [unit("resident-in-MiB", MIB, 2)],
      })),
    ];
    return results;
  },
};
export default row;
