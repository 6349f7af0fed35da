/** Drivers that keep the protocol are correct, whatever runs between their steps and in whatever order. */
import * as assert from "uvu/assert";
import { explore, type Agent, type ExploreOptions, type ExploreResult } from "../../src/testing.ts";
import { onEachBuild } from "../util/builds.ts";
import * as agents from "./agents.ts";
import { copyPage, makeAsyncWorld, migratePage, type AsyncWorld } from "./async.ts";
import { invariants, makeWorld, readAll, state, type World, type WorldOptions } from "./world.ts";

const { driver, modern, migrate, overlapping, reclaim, lend, write } = agents;
const MODERN: WorldOptions = { generation: 2020 };
const TWO_DEVICES: WorldOptions = { other: true };

/** Populates the device's table and writes through it. */
const writer = (value: number, which: "gpu" | "other"): Agent<World> =>
  function* (w) {
    yield* agents.populate(w, w[which]!);
    yield* agents.deviceWrite(w, w[which]!, value);
  };

/** Migrates two pages and writes to the first on the device. */
const mover: Agent<World> = function* (w) {
  yield* agents.toDevice(w, w.gpu, w.start, 2);
  yield* agents.deviceWrite(w, w.gpu, 10);
};

/** Name, agents, world, and whether an agent has to wait for another. */
const scenarios: [
  name: string,
  agents: Record<string, Agent<World>>,
  waits: boolean,
  options?: WorldOptions,
][] = [
  ["populate, munmap", { driver, cpu: agents.munmap }, true],
  ["populate, mprotect", { driver, cpu: agents.protect }, true],
  ["populate, fork", { driver, cpu: agents.fork }, true],
  ["populate, MADV_DONTNEED, writes", { driver, cpu: agents.discard, thread: write(1, 2) }, true],
  ["modern populate, munmap", { driver: modern, cpu: agents.munmap }, true, MODERN],
  ["modern populate, mprotect", { driver: modern, cpu: agents.protect }, true, MODERN],
  ["modern populate, fork", { driver: modern, cpu: agents.fork }, true, MODERN],
  ["modern populate, fork, writes", { driver: modern, cpu: agents.fork, thread: write(1, 2) }, true, MODERN],
  ["migrate, writes", { driver: migrate, cpu: write(1, 2, 3) }, true],
  ["migrate, fork", { driver: migrate, cpu: agents.fork }, true],
  ["migrate, munmap", { driver: migrate, cpu: agents.munmap }, true],
  ["migrate, MADV_DONTNEED, writes", { driver: migrate, cpu: agents.discard, thread: write(1) }, true],
  ["migrate, migrate an overlapping range, writes", { a: migrate, b: overlapping, cpu: write(1, 2) }, true],
  ["… to another device", { a: migrate, b: overlapping, cpu: write(1, 2) }, true, TWO_DEVICES],
  ["migrate and write, evict, writes", { driver: mover, reclaim, cpu: write(1, 2) }, true],
  ["two mirrors", { a: writer(10, "gpu"), b: writer(20, "other"), cpu: write(1, 2) }, false, TWO_DEVICES],
  ["release during populate", { driver, cpu: agents.exit, thread: write(1) }, true],
  ["release during modern populate", { driver: modern, cpu: agents.exit, thread: write(1) }, true, MODERN],
  ["release during migrate", { driver: migrate, cpu: agents.exit, thread: write(1) }, true],
  ["exclusive access, writes", { driver: lend, cpu: write(1, 2) }, true],
  ["exclusive access, MADV_DONTNEED", { driver: lend, cpu: agents.discard }, false],
  ["exclusive access, migrate, write", { a: lend, b: migrate, cpu: write(1) }, true],
];

const figures: string[] = [];

function run<W>(name: string, agentsOf: Record<string, Agent<W>>, options: ExploreOptions<W>): ExploreResult {
  const start = performance.now();
  const result = explore(agentsOf, options);
  const { schedules, pruned, states, steps, waits } = result;
  const ms = (performance.now() - start).toFixed(0);
  const size = `${schedules} schedules, ${pruned} pruned, ${states} states, ${steps} steps, ${waits} waits`;
  figures.push(`${name}: ${size}, ${ms} ms`);
  return result;
}

onEachBuild("explore: scenarios", (test, module) => {
  const config = { module };

  for (const [name, agentsOf, waits, options] of scenarios) {
    test(name, () => {
      const setup = (hmm: World["hmm"]): World => makeWorld(hmm, options);
      const result = run(name, agentsOf, { setup, config, invariants, state, atEnd: readAll });
      assert.ok(result.complete);
      assert.ok(result.schedules > 1, "orders that come to different ends");
      assert.is(result.waits > 0, waits);
    });
  }

  test("copies finish in any order while the CPU writes", () => {
    const name = "three migrations, three copies, writes";
    const agentsOf: Record<string, Agent<AsyncWorld>> = {};
    for (const page of [0, 1, 2]) {
      agentsOf[`driver${page}`] = migratePage(page);
      agentsOf[`dma${page}`] = copyPage(page);
    }
    agentsOf.cpu = write(1);
    const result = run(name, agentsOf, {
      setup: makeAsyncWorld,
      config,
      invariants,
      state,
      atEnd: readAll,
      limit: 800,
      samples: 50,
    });
    assert.ok(result.waits > 0);
  });

  test("a CPU thread, two drivers and reclaim run at once", () => {
    const setup = (hmm: World["hmm"]): World => makeWorld(hmm, TWO_DEVICES);
    const agentsOf = { cpu: write(1, 2), a: migrate, b: writer(20, "other"), reclaim };
    const options = { setup, config, invariants, state, atEnd: readAll, limit: 600, samples: 100 };
    const result = run("CPU, two drivers, reclaim", agentsOf, options);
    assert.is(result.complete, false);
    assert.is(result.sampled, 100);
  });
}).run();

if (process.env.EXPLORE_FIGURES !== undefined) process.on("exit", () => console.log(figures.join("\n")));
