/**
 * S8: a sweep. The first comparisons, of shorter and of longer jobs, are a pool of as many workers as there
 * are processors, with one worker that does the same jobs. The last one takes everything that a sweep does
 * for small jobs, from the spec to the merged results, with one worker; the rival is the simulations alone
 * and 3 ms for each job.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { runLocally } from "../../src/cli/sweep/local.ts";
import { planSweep } from "../../src/cli/sweep/plan.ts";
import { startPool } from "../../src/cli/sweep/pool.ts";
import { EngineSlot } from "../../src/inside.ts";
import { openWorkload, Simulation } from "../../src/sim.ts";
import { settingsOf } from "../../src/sim/config.ts";
import { feedAll } from "../../src/sim/simulate.ts";
import { engineConfigOf } from "../../src/sim/world.ts";
import { mergeResults, writeManifest } from "../../src/sweep/manifest.ts";
import { readResults } from "../../src/sweep/rows.ts";
import { JobStore } from "../../src/sweep/store.ts";
import { GIB } from "../engine.ts";
import type { Result, Row, Side } from "../harness.ts";

/** Updates of a job of some 100 ms, of one of some 25 ms, and of one of some 2 ms. */
const UPDATES = { long: 24000, short: 6000, small: 100 };
/** The same for a smoke run. */
const SMOKE_UPDATES = { long: 1500, short: 400, small: 100 };
/** What workers keep of their processors. */
const SHARE = 0.93;
/** Milliseconds that a job may take beside its simulation. */
const OVERHEAD = 3;

const since = (start: number): number => (performance.now() - start) * 1e6;

/** A folder of sweeps, with the code that workers load. */
class Sweeps {
  readonly folder = mkdtempSync(join(tmpdir(), "heteromem-bench-"));
  readonly #task = join(this.folder, "task.mjs");
  #runs = 0;

  async open(): Promise<void> {
    const banner =
      'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';
    await build({
      ...{ entryPoints: ["src/cli/sweep/task.ts"], outfile: this.#task, banner: { js: banner } },
      ...{ bundle: true, format: "esm", platform: "node", target: "node20", logLevel: "error" },
    });
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Writes a spec of so many jobs. */
  spec(jobs: number, updates: number): string {
    const workload = `gups:size=256KiB,updates=${updates}`;
    const base = { systemMemory: "2MiB", deviceMemory: "64KiB", backing: "metadata", workload };
    const path = join(this.folder, `${jobs}-${updates}.json`);
    writeFileSync(path, JSON.stringify({ base, replicate: jobs }));
    return path;
  }

  /** Does a spec's jobs from its file to the merged results. The hash is the faults of all jobs. */
  async side(spec: string, workers: number): Promise<Side> {
    const pool = await startPool(this.#task, workers, 64 * GIB);
    return {
      run: async () => {
        const store = new JobStore(join(this.folder, `run${this.#runs++}`));
        const start = performance.now();
        const { manifest, jobs } = await planSweep(spec, this.folder, "bench");
        store.open();
        await writeManifest(store.dir, manifest);
        const queued = [...jobs].map(([id, planned]) => ({ id, ...planned, traces: this.folder }));
        await runLocally(queued, { pool, store, done: () => {}, stopping: () => false });
        await mergeResults(store, manifest);
        const ns = since(start);
        const { rows } = readResults(store.dir);
        rmSync(store.dir, { recursive: true });
        return { ns, hash: rows.reduce((sum, { report }) => sum + report!.faults.device, 0) };
      },
      close: () => pool.close(),
    };
  }
}

/** The simulations of a spec's jobs alone, and as much more as a job may take. */
async function simulating(spec: string, folder: string): Promise<Side> {
  const { jobs } = await planSweep(spec, folder, "bench");
  const slot = new EngineSlot();
  return {
    async run() {
      let [ns, hash] = [0, 0];
      for (const { job } of jobs.values()) {
        const { workload, ...config } = job.config;
        const hmm = await slot.take(engineConfigOf(settingsOf(config)));
        const simulation = Simulation.over(hmm, config);
        const start = performance.now();
        await feedAll(simulation, openWorkload(workload!));
        hash += simulation.report().faults.device;
        ns += since(start);
        simulation.close();
        slot.give(hmm);
      }
      return { ns: ns + OVERHEAD * 1e6 * jobs.size, hash };
    },
  };
}

const row: Row = {
  title: "a sweep, on all processors; and what it takes beside simulating",
  unit: "job",
  threads: true,
  async run(context) {
    const sweeps = new Sweeps();
    const workers = availableParallelism();
    // Enough that one worker's wait for the other one's last job counts for little.
    const [short, long, small] = context.smoke ? [2, 2, 2] : [64 * workers, 32 * workers, 200];
    const sizes = context.smoke ? SMOKE_UPDATES : UPDATES;
    const smallSpec = sweeps.spec(small, sizes.small);
    await sweeps.open();
    const one = await sweeps.side(smallSpec, 1);
    try {
      const results: Result[] = [];
      for (const [about, jobs, updates] of [
        ["25 ms", short, sizes.short],
        ["100 ms", long, sizes.long],
      ] as const) {
        const spec = sweeps.spec(jobs, updates);
        const ours = await sweeps.side(spec, workers);
        const name = `one worker, x ${workers}, jobs of ${about}`;
        const rival = { name, target: 1 / (SHARE * workers), sides: [await sweeps.side(spec, 1)] };
        try {
          results.push(...(await context.compare({ ours, units: jobs, rivals: [rival] })));
        } finally {
          await ours.close?.();
        }
      }
      const alone = await simulating(smallSpec, sweeps.folder);
      const rivals = [{ name: `simulating and ${OVERHEAD} ms`, target: 1, sides: [alone] }];
      const [whole] = await context.compare({ ours: one, units: small, rivals });
      const beside = whole.ours - whole.theirs! + OVERHEAD * 1e6;
      context.note(`${(beside / 1e6).toFixed(2)} ms a job beside its simulation`);
      return [...results, whole];
    } finally {
      await one.close?.();
      sweeps.close();
    }
  },
};
export default row;
