/**
 * P21: an engine of 16 MiB boots, as each test of a driver boots one, and 64 engines stay in one process. The
 * "rivals" are units: 1 ms, and 1 MiB of resident memory an engine. In the last comparison, as many workers
 * as there are processors have an engine each; the rival is one worker that does the work of all.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { build } from "esbuild";
import { Hmm } from "../../src/index.ts";
import { MIB, PRIVATE } from "../engine.ts";
import type { Context, Result, Row, Sample, Side } from "../harness.ts";
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

/** Rounds of work of all workers together, some 200 ms, and what workers keep of their processors. */
const ROUNDS = 240;
const SHARE = 0.93;

/** Shares rounds of work out to workers, each with an engine of its own. */
class Workers implements Side {
  readonly #workers: Worker[];
  readonly #rounds: number;

  constructor(file: string, count: number, rounds: number) {
    this.#workers = Array.from({ length: count }, () => new Worker(file));
    this.#rounds = rounds / count;
  }

  async run(): Promise<Sample> {
    const start = performance.now();
    const moved = await Promise.all(
      this.#workers.map(async (worker) => {
        const answer = once(worker, "message");
        worker.postMessage(this.#rounds);
        const [pages] = (await answer) as [number];
        return pages;
      }),
    );
    const ns = (performance.now() - start) * 1e6;
    return { ns, hash: moved.reduce((sum, pages) => sum + pages) };
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

async function scaling(context: Context): Promise<Result[]> {
  const folder = mkdtempSync(join(tmpdir(), "heteromem-bench-"));
  const outfile = join(folder, "worker.mjs");
  const entry = fileURLToPath(new URL("../worker-engine.ts", import.meta.url));
  await build({
    ...{ entryPoints: [entry], outfile, bundle: true, format: "esm" },
    ...{ platform: "node", target: "node20", logLevel: "error" },
  });
  const count = availableParallelism();
  const rounds = context.smoke ? count : ROUNDS - (ROUNDS % count);
  const all = new Workers(outfile, count, rounds);
  const one = new Workers(outfile, 1, rounds);
  const rival = { name: `one worker, x ${count}`, target: 1 / (SHARE * count), sides: [one] };
  try {
    return await context.compare({ ours: all, units: rounds, rivals: [rival] });
  } finally {
    await all.close();
    await one.close();
    rmSync(folder, { recursive: true });
  }
}

const row: Row = {
  title: `boot with 16 MiB + 16 MiB; resident memory of ${ENGINES} engines that touch 1 MiB each; workers`,
  unit: "boot · engine · round",
  threads: true,
  async run(context) {
    const resident = residentBytes(context.smoke ? 2 : ENGINES);
    const results: Result[] = [
      ...(await context.compare({ ours: boot, units: 1, rivals: [unit("boot-in-ms", 1e6, 1)] })),
      ...(await context.compare({
        ours: size(resident),
        units: 1,
        rivals: [unit("resident-in-MiB", MIB, 2)],
      })),
      ...(await scaling(context)),
    ];
    return results;
  },
};
export default row;
