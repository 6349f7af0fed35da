import { explore, ScheduleError, type Agent as Explored } from "../testing.ts";
import type { Hmm } from "../index.ts";
import { engineConfig } from "./config.ts";
import type { Program } from "./lab.ts";
import type { Agent } from "./operation.ts";
import { advance, currentTask, enqueue } from "./steps.ts";
import { World } from "./world.ts";

/** What became of a search for a failing order. */
export interface RaceResult {
  /** The order of steps that fails, after the program's own; null: none was found. */
  readonly order: readonly Agent[] | null;
  /** What fails, in one line; empty: nothing. */
  readonly failure: string;
  /** Whether every order was tried. */
  readonly complete: boolean;
  /** How many orders were tried to their end, and how many states there were. */
  readonly schedules: number;
  readonly states: number;
}

/** How many runs are made before random ones replace the rest, and how many of those. */
const RUNS = 2000;
const SAMPLES = 200;

/**
 * Looks for an order of the steps that are still to be made, after those of `program.order`, in which an
 * invariant of the engine breaks. Every order is tried, and a failing one is shortened. Throws what the
 * agents throw.
 */
export function findRace({ config, operations, order }: Program): RaceResult {
  const setup = (hmm: Hmm): World => {
    const world = World.on(hmm, config);
    for (const operation of operations) enqueue(world, operation);
    for (const agent of order) advance(world, agent);
    return world;
  };
  const agents: Record<Agent, Explored<World>> = {
    cpu: (world) => steps(world, "cpu"),
    device1: (world) => steps(world, "device1"),
    device2: (world) => steps(world, "device2"),
  };
  const options = {
    setup,
    config: engineConfig(config),
    state: ({ data }: World) => data,
    limit: RUNS,
    samples: SAMPLES,
  };
  try {
    const { complete, schedules, states } = explore(agents, options);
    return { order: null, failure: "", complete, schedules, states };
  } catch (error) {
    if (!(error instanceof ScheduleError)) throw error;
    const [failure] = error.message.replace(/^explore: /, "").split("\n");
    return { order: error.schedule as Agent[], failure, complete: false, schedules: 0, states: 0 };
  }
}

/** An agent's steps, as the explorer wants them. */
function* steps(world: World, agent: Agent): Generator<string, void, void> {
  for (;;) {
    const task = currentTask(world, agent);
    if (task === undefined) return;
    yield `${task.next}`;
    advance(world, agent);
  }
}
