import { badRange, badType, checkInteger, checkMethod, checkOptions, checkU32 } from "../engine/errors.ts";
import type { Hmm, HmmConfig } from "../index.ts";
import type { Rewinder } from "../inside.ts";
import { makeRewinder } from "./explore-engine.ts";
import { ScheduleError } from "./explore-error.ts";
import { Run, type Agent, type ScheduleStep } from "./explore-run.ts";
import { Random } from "../engine/random.ts";

/** What {@link explore} takes beside the agents. */
export interface ExploreOptions<W> {
  /**
   * Makes the world in a fresh engine, by the same calls in each run. Each agent is given what it returns.
   */
  setup: (hmm: Hmm) => W;
  /** The engine's configuration. Default: a small one; see docs/testing.md. */
  config?: HmmConfig | undefined;
  /**
   * What must hold after every step, by name: an invariant is broken if it throws or returns false. It must
   * not change anything.
   */
  invariants?: Record<string, (world: W) => unknown> | undefined;
  /** Checks the world when all agents are done: throws if something is wrong. It may change the world. */
  atEnd?: ((world: W) => void) | undefined;
  /**
   * Returns state that decides what comes next and that is neither in the engine nor in the agents' labels:
   * any value that JSON can write.
   */
  state?: ((world: W) => unknown) | undefined;
  /** How many steps a schedule may have; more are a failure: an agent tries forever. Default 200. */
  steps?: number | undefined;
  /** How many runs may be made before random schedules replace the rest. Default 20,000. */
  limit?: number | undefined;
  /** How many random schedules are made beyond the limit. Default 1000. */
  samples?: number | undefined;
  /** The seed of the random schedules. Default 1. */
  seed?: number | undefined;
  /** Makes only this schedule, that of a {@link ScheduleError}. It may end before the agents do. */
  schedule?: readonly string[] | undefined;
}

/** What {@link explore} has explored. */
export interface ExploreResult {
  /** Whether every interleaving was covered; false: the limit was reached, and the rest was sampled. */
  complete: boolean;
  /** How many schedules came to their end. */
  schedules: number;
  /** How many schedules were given up in a known state, whose futures were explored before. */
  pruned: number;
  /** How many different states there were. */
  states: number;
  /**
   * How many steps were made, including those that repeat the way to where the next schedule branches off.
   */
  steps: number;
  /** How many steps had to wait, and were undone. */
  waits: number;
  /** How many random schedules were made. */
  sampled: number;
  /** The seed of the random schedules. */
  seed: number;
}

const OP = "explore";

/**
 * Runs agents through every interleaving of their steps, and checks `hmm.verify()` and the invariants after
 * each step. Returns what was explored.
 *
 * A step that has to wait counts as not begun, and is tried again after steps of other agents. It has to wait
 * where the engine throws HmmError EAGAIN or EDEADLK (an open migration, a held mmapSem), for {@link
 * waitFor}, and for a held {@link Lock}.
 *
 * Throws {@link ScheduleError} for the first schedule in which a check fails, an agent throws, the agents
 * wait for each other, or an agent never ends. Throws RangeError and TypeError for bad arguments, and Error
 * if setup and agents do not do the same each time.
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
   * The first schedule at whose end something was left over. A schedule that fails says more and has
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

  /** Returns the same failure with fewer steps, by leaving out one after the other. */
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

  /** Makes all interleavings; beyond the limit, random ones. */
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

  /** Makes one schedule. When it ends before the agents do, they go on one after the other. */
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

  /** Explores, depth first, whatever can follow a new state. The run cannot be used afterwards. */
  #visit(run: Run<W>): void {
    const path = [...run.steps];
    const agents = run.unfinished;
    const waiting = new Map<string, string>();
    for (const agent of agents) {
      if (this.#limitReached) return;
      // Generators cannot be copied: every branch but the first starts again from the beginning.
      const branch = agent === agents[0] ? run : this.#begin(path);
      const why = this.#step(branch, agent);
      if (why !== null) waiting.set(agent, why);
      else if (!this.#isNew(branch)) this.result.pruned++;
      else this.#visit(branch);
    }
    if (waiting.size === agents.length) this.#end(waiting.size === 0 ? run : this.#begin(path), waiting);
  }

  /** Makes one schedule to its end: `choose` picks from the agents that can go on, after `made` steps. */
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

  /** Makes a fresh world, and the steps of `path` in it. */
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

  /** Makes a new step, and checks the world after it. Returns what the step has to wait for, or null. */
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

  /** No agent can go on: each is done, or waits. */
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
