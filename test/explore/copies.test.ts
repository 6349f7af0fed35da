/** Copies that finish in any order, in a sample of the orders. */
import * as assert from "uvu/assert";
import type { Agent } from "../../src/testing.ts";
import { onEachBuild } from "../util/builds.ts";
import { write } from "./agents.ts";
import { copyPage, makeAsyncWorld, migratePage, type AsyncWorld } from "./async.ts";
import { run } from "./scenario.ts";
import { invariants, readAll, state } from "./world.ts";

onEachBuild("explore: copies", (test, module) => {
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
}).run();
