/** Many drivers and threads at once, in a sample of their orders. */
import * as assert from "uvu/assert";
import { onEachBuild } from "../util/builds.ts";
import { migrate, reclaim, write } from "./agents.ts";
import { run, writer } from "./scenario.ts";
import { invariants, makeWorld, readAll, state, type World, type WorldOptions } from "./world.ts";

const TWO_DEVICES: WorldOptions = { other: true };

onEachBuild("explore: at once", (test, module) => {
  const config = { module };

  test("a CPU thread, two drivers and reclaim run at once", () => {
    const setup = (hmm: World["hmm"]): World => makeWorld(hmm, TWO_DEVICES);
    const agentsOf = { cpu: write(1, 2), a: migrate, b: writer(20, "other"), reclaim };
    const options = { setup, config, invariants, state, atEnd: readAll, limit: 600, samples: 100 };
    const result = run("CPU, two drivers, reclaim", agentsOf, options);
    assert.is(result.complete, false);
    assert.is(result.sampled, 100);
  });
}).run();
