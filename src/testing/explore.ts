import { badRange, badType, checkInteger, checkMethod, checkOptions, checkU32 } from "../engine/errors.ts";
import type { Hmm, HmmConfig } from "../index.ts";
import type { Rewinder } from "../inside.ts";
import { makeRewinder } from "./explore-engine.ts";
import { ScheduleError } from "./explore-error.ts";
import { Run, type Agent, type ScheduleStep } from "./explore-run.ts";
import { Random } from "./random.ts";

/** What {@link explore} takes beside the agents. */
export interface ExploreOptions<W> {
  /**
   * Makes the world in a fresh engine, once for every run: the same calls each time. The agents are given
   * what it returns.
   */
  setup: (hmm: Hmm) => W;
  /** The engine's configuration. Default: a small one; see docs/testing.md. */
  config?: HmmConfig;
  /**
   * What holds after every step, by name: broken if it throws or returns false. It must not change anything.
   */
  invariants?: Record<string, (world: W) => unknown>;
  /** What holds when all agents are done: broken if it throws. It may do anything. */
  atEnd?: (world: W) => void;
  /**
   * What of the world is in neither the engine nor the agents' labels, and decides what comes: anything for
   * JSON.
   */
  state?: (world: W) => unknown;
  /** Steps that a schedule may have; more of them are a failure (somebody tries for ever). Default 200. */
  steps?: number;
  /** Runs after which not every interleaving is tried any more, but `samples` random ones. Default 20,000. */
  limit?: number;
  /** Random schedules beyond the limit. Default 1000. */
  samples?: number;
  /** Seed of the random schedules. Default 1. */
  seed?: number;
  /** Makes this schedule only: `schedule` of a {@link ScheduleError}. It may end before the agents do. */
  schedule?: readonly string[];
}

/** What {@link explore} has looked at. */
export interface ExploreResult {
  /** Whether every interleaving was covered; false: the limit was reached, and the rest sampled. */
  complete: boolean;
  /** Schedules that came to their end. */
  schedules: number;
  /** Schedules given up because they came to a state that was known: whatever follows had been looked at. */
  pruned: number;
  /** Different states. */
  states: number;
  /** Steps made, those included that lead again to where the next schedule branches off. */
  steps: number;
  /** Steps that had to wait, and were undone. */
  waits: number;
  /** Random schedules, and their seed. */
  sampled: number;
  seed: number;
}

const OP = "explore";

/**
 * Runs agents through every interleaving of their steps, and checks after each step `hmm.verify()` and the
 * invariants. Throws {@link ScheduleError} for the first schedule in which one of them fails, an agent
 * throws, the agents wait for each other, or somebody never ends. Returns what was looked at.
 *
 * A step that has to wait (HmmError EAGAIN or EDEADLK: an open migration, a held mmapSem; {@link waitFor}; a
 * held {@link Lock}) counts as not begun: it is tried again after the others' steps.
 *
 * Throws RangeError and TypeError for bad arguments, and Error if the agents do not do the same thing twice.
 */
export function explore<W>(agents: Record<string, Agent<W>>, options: ExploreOptions<W>): ExploreResult {
  checkArguments(agents, options);
  const explorer = new Explorer(agents, options);
  try {
    return explorer.run();
  } catch (error) {
    if (!(error instanceof ScheduleError) || options.schedule !== undefined) throw error;
    throw explorer.shortened(error);
  }
}

function checkArguments<W>(agents: Record<string, Agent<W>>, options: ExploreOptions<W>): void {
  checkOptions(OP, "agents", agents);
  for (const name of Object.keys(agents)) checkMethod(OP, "agents", agents, name);
  checkOptions(OP, "options", options);
  checkMethod(OP, "options", options, "setup");
  checkMethod(OP, "options", options, "atEnd", true);
  checkMethod(OP, "options", options, "state", true);
  const { invariants = {}, steps = 1, limit = 0, samples = 0, seed = 0, schedule = [] } = options;
  checkOptions(OP, "options.invariants", invariants);
  for (const name of Object.keys(invariants)) checkMethod(OP, "options.invariants", invariants, name);
  checkInteger(OP, "options.steps", steps, 1, 10_000);
  checkU32(OP, "options.limit", limit);
  checkU32(OP, "options.samples", samples);
  checkU32(OP, "options.seed", seed);
  if (!Array.isArray(schedule)) throw badType(OP, "options.schedule", "an array of agents' names", schedule);
  for (const name of schedule) {
    if (!Object.hasOwn(agents, String(name)))
      throw badRange(OP, "options.schedule", `made of ${Object.keys(agents).join(", ")}`, name);
  }
}

class Explorer<W> {
  readonly result: ExploreResult;
  readonly #agents: Record<string, Agent<W>>;
  readonly #options: ExploreOptions<W>;
  readonly #engines: Rewinder;
  readonly #seen = new Set<number>();
  /**
   * The first schedule at whose end something was left over. A schedule that goes wrong says more: it has
   * precedence.
   */
  #untidy: ScheduleError | null = null;

  constructor(agents: Record<string, Agent<W>>, options: ExploreOptions<W>) {
    this.#agents = agents;
    this.#options = options;
    this.#engines = makeRewinder(options.config);
    const { seed = 1 } = options;
    const counts = { schedules: 0, pruned: 0, states: 0, steps: 0, waits: 0, sampled: 0 };
    this.result = { complete: true, ...counts, seed };
  }

  run(): ExploreResult {
    const { schedule } = this.#options;
    if (schedule === undefined) this.#everything();
    else this.#one(schedule);
    if (this.#untidy !== null) throw this.#untidy;
    return this.result;
  }

  /** The same failure with as few steps as can be had by leaving out one after the other. */
  shortened(error: ScheduleError): ScheduleError {
    let shortest = error;
    for (let left = error.schedule.length - 2; left >= 0; left--) {
      try {
        this.#one(shortest.schedule.filter((_, i) => i !== left));
      } catch (again) {
        const same =
          again instanceof ScheduleError && again.agent === error.agent && again.step === error.step;
        if (same && again.schedule.length < shortest.schedule.length) shortest = again;
      }
    }
    return shortest;
  }

  /** All interleavings; beyond the limit random ones. */
  #everything(): void {
    const run = this.#begin([]);
    this.#isNew(run);
    this.#visit(run);
    if (this.result.complete) return;
    const { samples = 1000 } = this.#options;
    const random = new Random(this.result.seed);
    while (this.result.sampled < samples) {
      this.result.sampled++;
      this.#follow((agents) => random.pick(agents)!);
    }
  }

  /** One schedule; when it ends before the agents do, they go on one after the other. */
  #one(schedule: readonly string[]): void {
    this.result.complete = false;
    let next = 0;
    this.#follow((agents, made) => {
      if (next === schedule.length) return agents[0];
      if (made < next || !agents.includes(schedule[next])) {
        const at = Math.min(made, next);
        throw badRange(OP, `options.schedule[${at}]`, "an agent that can go on there", schedule[at]);
      }
      return schedule[next++];
    });
  }

  /** Depth first: whatever can come after a state that was not seen before. Uses the run up. */
  #visit(run: Run<W>): void {
    const path = [...run.steps];
    const agents = run.unfinished;
    const waiting = new Map<string, string>();
    for (const agent of agents) {
      if (this.#limitReached) return;
      // Generators cannot be copied: the second branch, and the ones after, start again from the beginning.
      const branch = agent === agents[0] ? run : this.#begin(path);
      const why = this.#step(branch, agent);
      if (why !== null) waiting.set(agent, why);
      else if (!this.#isNew(branch)) this.result.pruned++;
      else this.#visit(branch);
    }
    if (waiting.size === agents.length) this.#end(waiting.size === 0 ? run : this.#begin(path), waiting);
  }

  /** One way to the end: `choose` picks from the agents that can go on, after so many steps. */
  #follow(choose: (agents: readonly string[], made: number) => string): void {
    let run = this.#begin([]);
    let agents = run.unfinished;
    const waiting = new Map<string, string>();
    while (agents.length > 0) {
      const agent = choose(agents, run.steps.length);
      const why = this.#step(run, agent);
      if (why === null) {
        agents = run.unfinished;
        waiting.clear();
      } else {
        waiting.set(agent, why);
        agents = agents.filter((name) => name !== agent);
        run = this.#begin(run.steps);
      }
    }
    this.#end(run, waiting);
  }

  get #limitReached(): boolean {
    const { schedules, pruned } = this.result;
    if (schedules + pruned < (this.#options.limit ?? 20_000)) return false;
    this.result.complete = false;
    return true;
  }

  #isNew(run: Run<W>): boolean {
    const state = run.state(this.#options.state?.(run.world));
    if (this.#seen.has(state)) return false;
    this.#seen.add(state);
    this.result.states++;
    return true;
  }

  /** A fresh world, brought to where these steps lead. */
  #begin(path: readonly ScheduleStep[]): Run<W> {
    const run = new Run(this.#engines.next(), this.#options.setup, this.#agents);
    for (const [i, { agent, label }] of path.entries()) {
      const now = run.labelOf(agent);
      this.result.steps++;
      if (now === label && run.step(agent) === null) continue;
      const found = now === label ? "to wait" : `"${now}"`;
      const what = `step ${i + 1} was ${agent}'s "${label}", and is ${found}`;
      throw new Error(`${OP}: setup and agents must do the same each time: ${what}`);
    }
    return run;
  }

  /** Makes a step that is new, and looks at what it has done. Returns what it has to wait for, or null. */
  #step(run: Run<W>, agent: string): string | null {
    const { steps: most = 200, invariants = {} } = this.#options;
    const steps = [...run.steps, { agent, label: run.labelOf(agent)! }];
    if (steps.length > most) throw this.#failure(`more than ${most} steps`, steps, true);
    const check = (name: string, body: () => unknown): void => {
      try {
        if (body() === false) throw new Error("it does not hold");
      } catch (cause) {
        throw this.#failure(name + show(cause), steps, true, cause);
      }
    };
    let why: string | null = null;
    this.result.steps++;
    check("", () => void (why = run.step(agent)));
    if (why !== null) {
      this.result.waits++;
      return why;
    }
    check("", () => run.hmm.verify());
    for (const [name, holds] of Object.entries(invariants))
      check(`invariant "${name}": `, () => holds(run.world));
    return null;
  }

  /** Nobody can go on: all are done, or all that are not wait. */
  #end(run: Run<W>, waiting: ReadonlyMap<string, string>): void {
    this.result.schedules++;
    if (waiting.size > 0) {
      const agents = Object.keys(this.#agents).filter((agent) => waiting.has(agent));
      const who = agents.map((a) => `${a}, step "${run.labelOf(a)}", waits for: ${waiting.get(a)}`);
      throw this.#failure(`deadlock: ${who.join("; ")}`, run.steps, false);
    }
    const { leftOver } = run;
    if (leftOver !== null) {
      this.#untidy ??= this.#failure(`at the end: ${leftOver}`, run.steps, false);
      return;
    }
    try {
      this.#options.atEnd?.(run.world);
      run.hmm.verify();
    } catch (cause) {
      throw this.#failure(`at the end: ${show(cause)}`, run.steps, false, cause);
    }
  }

  #failure(what: string, steps: readonly ScheduleStep[], failing: boolean, cause?: unknown): ScheduleError {
    const { sampled, seed } = this.result;
    const found = sampled > 0 ? `\nfound by random schedule ${sampled} of seed ${seed}` : "";
    return new ScheduleError(what + found, steps, failing, cause);
  }
}

const show = (error: unknown): string => (error instanceof Error ? error.message : String(error));
