/**
 * explore() catches drivers that break the protocol within a second, with a schedule that reproduces the
 * failure.
 */
import * as assert from "uvu/assert";
import { explore, ScheduleError, type Agent, type ExploreOptions } from "../../src/testing.ts";
import { onEachBuild } from "../util/builds.ts";
import { discard, munmap, write } from "./agents.ts";
import * as broken from "./broken.ts";
import { invariants, makeWorld, state, type World } from "./world.ts";

type Agents = Record<string, Agent<World>>;

function caught(agents: Agents, options: ExploreOptions<World>): ScheduleError {
  let error: unknown;
  try {
    explore(agents, options);
  } catch (thrown) {
    error = thrown;
  }
  assert.instance(error, ScheduleError);
  return error as ScheduleError;
}

const STALE = "hmm.verify: EINVARIANT: mm 1: at 0x7ffff7ffd000 the device has page 2 and the CPU 0";
const LOST = 'invariant "no write is lost": the process has 0 in page 1, and 101 was written';

/** Name, agents, and the first lines of the report. */
const drivers: [name: string, agents: Agents, report: string, generation?: 2020][] = [
  [
    "skips hmmVmaRangeDone",
    { gpu: broken.skipsRangeDone, cpu: discard },
    `explore: gpu, step "map, locked": ${STALE}
  1. gpu  fault the range in
  2. cpu  MADV_DONTNEED
  3. gpu  map, locked  <- here
replay with schedule: ["gpu","cpu","gpu"]`,
  ],
  [
    "never calls hmmVmaRangeDone, and maps what the engine leaves of its range",
    { gpu: broken.neverEndsTheRange, cpu: discard },
    `explore: at the end: mm 1: hmmVmaRangeDone is due: 0x7ffff7ffd000…0x7ffff8000000
  1. gpu  fault the range in
  2. gpu  map, locked
  3. cpu  MADV_DONTNEED
replay with schedule: ["gpu","gpu","cpu"]`,
  ],
  [
    "checks hmmVmaRangeDone outside its lock",
    { gpu: broken.checksOutsideItsLock, cpu: discard, thread: write(1, 2) },
    `explore: gpu, step "map, locked": ${STALE}
  1. gpu  fault the range in
  2. gpu  range done
  3. cpu  MADV_DONTNEED
  4. gpu  map, locked  <- here
replay with schedule: ["gpu","gpu","cpu","gpu"]`,
  ],
  [
    "skips readRetry",
    { gpu: broken.skipsReadRetry, cpu: munmap },
    `explore: gpu, step "map, locked": ${STALE}
  1. gpu  fault the range in
  2. cpu  munmap
  3. gpu  map, locked  <- here
replay with schedule: ["gpu","cpu","gpu"]`,
    2020,
  ],
  [
    "forgets to copy a page",
    { gpu: broken.forgetsACopy, cpu: write(1) },
    `explore: gpu, step "pages, map, finalize": ${LOST}
  1. gpu  setup
  2. gpu  copy
  3. gpu  pages, map, finalize  <- here
replay with schedule: ["gpu","gpu","gpu"]`,
  ],
  [
    "forgets to finalize",
    { gpu: broken.forgetsToFinalize },
    `explore: at the end: migration 1 is still open
  1. gpu  migrate
replay with schedule: ["gpu"]`,
  ],
];

onEachBuild("explore: broken drivers", (test, module) => {
  for (const [name, agents, report, generation] of drivers) {
    test(name, () => {
      const setup = (hmm: World["hmm"]): World => makeWorld(hmm, { generation });
      const options: ExploreOptions<World> = { setup, config: { module }, invariants, state };
      const start = process.cpuUsage();
      const error = caught(agents, options);
      const { user, system } = process.cpuUsage(start);
      assert.ok(user + system < 1e6, "within a second of the processor's time");
      assert.is(error.message.split("\n").slice(0, report.split("\n").length).join("\n"), report);

      const again = caught(agents, { ...options, schedule: error.schedule });
      assert.is(again.message, error.message);
      assert.equal([again.agent, again.step, again.schedule], [error.agent, error.step, error.schedule]);
    });
  }
}).run();
