/**
 * P19: explore() over the agents of test/explore. The "rival" is the time that a state took at commit
 * 21563c0, the best of eight explorations on a 2-core Intel Xeon, so it tells something on such a machine
 * alone.
 */
import { explore } from "../../src/testing.ts";
import * as agents from "../../test/explore/agents.ts";
import { invariants, makeWorld, readAll, state } from "../../test/explore/world.ts";
import type { World, WorldOptions } from "../../test/explore/world.ts";
import type { Agent } from "../../src/testing.ts";
import { HASH_SEED, hashWord } from "../harness.ts";
import type { Result, Row, Side } from "../harness.ts";
import { unit } from "../units.ts";

const { fork, lend, migrate, modern, overlapping, reclaim, write } = agents;

/** Migrates two pages and writes to the first on the device. */
const mover: Agent<World> = function* (w) {
  yield* agents.toDevice(w, w.gpu, w.start, 2);
  yield* agents.deviceWrite(w, w.gpu, 10);
};

/** Name, nanoseconds of a state at first, agents, world. */
type Exploration = [
  name: string,
  first: number,
  agents: Record<string, Agent<World>>,
  options?: WorldOptions,
];

const EXPLORATIONS: readonly Exploration[] = [
  ["populate-fork-writes", 427e3, { driver: modern, cpu: fork, thread: write(1, 2) }, { generation: 2020 }],
  ["exclusive-migrate-write", 361e3, { a: lend, b: migrate, cpu: write(1) }],
  ["two-migrations-writes", 382e3, { a: migrate, b: overlapping, cpu: write(1, 2) }],
  ["write-evict-writes", 407e3, { driver: mover, reclaim, cpu: write(1, 2) }],
];

function exploring([, , agentsOf, options]: Exploration): { side: Side; states: number } {
  const all = (): ReturnType<typeof explore> =>
    explore(agentsOf, { setup: (hmm) => makeWorld(hmm, options), invariants, state, atEnd: readAll });
  const { states } = all();
  const side: Side = {
    run() {
      const start = performance.now();
      const result = all();
      const ns = (performance.now() - start) * 1e6;
      if (!result.complete) throw new Error("the exploration is not complete");
      return { ns, hash: hashWord(hashWord(HASH_SEED, result.states), result.steps) };
    },
  };
  return { side, states };
}

const row: Row = {
  title: "explore(), each state checked and hashed",
  unit: "state",
  async run(context) {
    const results: Result[] = [];
    for (const exploration of EXPLORATIONS.slice(0, context.smoke ? 1 : undefined)) {
      const [name, first] = exploration;
      const { side, states } = exploring(exploration);
      // The rival's figure is of a state, and the harness divides by the number of units.
      const rival = { ...unit(name, first * states, 1 / 3), sameHash: false };
      results.push(...(await context.compare({ ours: side, units: states, rivals: [rival] })));
    }
    return results;
  },
};
export default row;
