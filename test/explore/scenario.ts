/** Explores agents in a world of world.ts, and says how much there was. */
import * as assert from "uvu/assert";
import { explore, type Agent, type ExploreOptions, type ExploreResult } from "../../src/testing.ts";
import { onEachBuild } from "../util/builds.ts";
import * as agents from "./agents.ts";
import { invariants, makeWorld, readAll, state, type World, type WorldOptions } from "./world.ts";

/** Populates the device's table and writes through it. */
export const writer = (value: number, which: "gpu" | "other"): Agent<World> =>
  function* (w) {
    yield* agents.populate(w, w[which]!);
    yield* agents.deviceWrite(w, w[which]!, value);
  };

/** Name, agents, world, and whether an agent has to wait for another. */
export type Scenario = [
  name: string,
  agents: Record<string, Agent<World>>,
  waits: boolean,
  options?: WorldOptions,
];

const figures: string[] = [];

/** Explores agents. EXPLORE_FIGURES=1 prints the figures of all explorations at the end. */
export function run<W>(
  name: string,
  agentsOf: Record<string, Agent<W>>,
  options: ExploreOptions<W>,
): ExploreResult {
  const start = performance.now();
  const result = explore(agentsOf, options);
  const { schedules, pruned, states, steps, waits } = result;
  const ms = (performance.now() - start).toFixed(0);
  const size = `${schedules} schedules, ${pruned} pruned, ${states} states, ${steps} steps, ${waits} waits`;
  figures.push(`${name}: ${size}, ${ms} ms`);
  return result;
}

/** Tests on each build that drivers keep the invariants in every order. */
export function testScenarios(suite: string, scenarios: readonly Scenario[]): void {
  onEachBuild(suite, (test, module) => {
    for (const [name, agentsOf, waits, options] of scenarios) {
      test(name, () => {
        const setup = (hmm: World["hmm"]): World => makeWorld(hmm, options);
        const config = { module };
        const result = run(name, agentsOf, { setup, config, invariants, state, atEnd: readAll });
        assert.ok(result.complete);
        assert.ok(result.schedules > 1, "orders that come to different ends");
        assert.is(result.waits > 0, waits);
      });
    }
  }).run();
}

if (process.env.EXPLORE_FIGURES !== undefined) process.on("exit", () => console.log(figures.join("\n")));
