/** Many drivers and threads at once, in a sample of their orders. */
import * as assert from "uvu/assert";
import type { Agent } from "../../src/testing.ts";
import { onEachBuild } from "../util/builds.ts";
import { migrate, reclaim, write } from "./agents.ts";
import { copyPage, makeAsyncWorld, migratePage, type AsyncWorld } from "./async.ts";
import { run, writer } from "./scenario.ts";
import { invariants, makeWorld, readAll, state, type World, type WorldOptions } from "./world.ts";

const TWO_DEVICES: WorldOptions = { other: true };

onEachBuild("explore: at once", (test, module) => {
  const config = { module };

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
