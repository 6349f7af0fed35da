/** Runs operations on both sides and finds the first difference. */
import { EngineSide } from "./engine-side.ts";
import { ExhaustRun } from "./exhaust.ts";
import { failingAllocation, Generator } from "./generate.ts";
import { linuxOf, makeExhaustPlan, makePlan } from "./generate-plan.ts";
import { ModelSide } from "./model-side.ts";
import { unordered, type Look, type Op, type Plan, type State } from "./plan.ts";
import { Random } from "./random.ts";
import { applies, type View } from "./view.ts";

/** Interval of operations at which every byte is compared, instead of some of each page. */
const FULL_EVERY = 16;
/** Interval of operations at which runs with huge pages compare contents. */
const HUGE_EVERY = 4;

/** A failure: the difference and the operation before it. */
export interface Failure {
  plan: Plan;
  /** All operations up to the failure. */
  ops: Op[];
  /** `ret`, `st.0.rss`, …; "engine" or "model" if that side threw, "verify" or "close". */
  field: string;
  model: unknown;
  engine: unknown;
}

export interface RunResult {
  plan: Plan;
  /** Operations performed on both sides. */
  steps: number;
  failure: Failure | null;
}

export type Difference = Pick<Failure, "field" | "model" | "engine">;

/** A way to run operations and to check them. */
export interface Runner {
  readonly view: View;
  /** Performs one applicable operation. */
  step(op: Op): Difference | null;
  /** Closes everything. */
  close(): Difference | null;
}

const makeRunner = (plan: Plan, module?: WebAssembly.Module): Runner =>
  plan.capacities ? new ExhaustRun(plan, module) : new ComparedRun(plan, module);

/** Runs a seed against the model or, with `exhaust`, on the engine alone with full tables. */
export function runSeed(
  seed: number,
  module?: WebAssembly.Module,
  exhaust = false,
  linux = exhaust ? linuxOf(Math.floor(seed / 4)) : linuxOf(seed),
): RunResult {
  const random = new Random(seed);
  const plan = exhaust ? makeExhaustPlan(seed, linux, random) : makePlan(seed, linux, random);
  const run = makeRunner(plan, module);
  const generator = new Generator(plan, random, run.view);
  const begin = random.chance(0.1) ? [] : generator.first();
  let made = 0;
  let failing = false;
  return runAll(plan, run, () => {
    if (made === plan.steps) return null;
    failing = exhaust && !failing && random.chance(0.4);
    if (failing) return failingAllocation(random);
    made++;
    return begin.shift() ?? generator.next();
  });
}

/** Runs given operations and skips those that do not apply. */
export function runOps(plan: Plan, ops: readonly Op[], module?: WebAssembly.Module): RunResult {
  const run = makeRunner(plan, module);
  let next = 0;
  return runAll(plan, run, () => {
    while (next < ops.length && !applies(run.view, ops[next])) next++;
    return next < ops.length ? ops[next++] : null;
  });
}

function runAll(plan: Plan, run: Runner, next: () => Op | null): RunResult {
  const done: Op[] = [];
  let difference: Difference | null = null;
  for (let op = next(); op !== null && difference === null;) {
    done.push(op);
    difference = run.step(op);
    if (difference === null) op = next();
  }
  difference ??= run.close();
  return { plan, steps: done.length, failure: difference && { plan, ops: done, ...difference } };
}

/** Runs every operation on the model and the engine, and compares answers and states. */
class ComparedRun implements Runner {
  readonly view: View;
  private readonly model: ModelSide;
  private readonly engine: EngineSide;
  private steps = 0;

  constructor(
    private readonly plan: Plan,
    module?: WebAssembly.Module,
  ) {
    this.model = new ModelSide(plan);
    this.engine = new EngineSide(plan, module);
    this.view = this.model;
  }

  step(op: Op): Difference | null {
    const { model, engine } = this;
    let expected: unknown;
    let got: unknown;
    const failed =
      caught("model", () => (expected = model.perform(op))) ??
      caught("engine", () => (got = engine.perform(op)));
    if (failed) return failed;
    const answers = differs("", expected, got);
    if (answers) return answers;
    const look = this.look();
    const states = caught("state", () => {
      expected = ordered(model.state(look), unordered(this.plan, op));
      got = ordered(engine.state(look), unordered(this.plan, op));
    });
    return states ?? differs("", expected, got) ?? caught("verify", () => engine.verify());
  }

  /**
   * Returns how much of the contents to compare. Huge pages are large, so their contents are compared less
   * often.
   */
  private look(): Look {
    const { plan } = this;
    if (++this.steps % FULL_EVERY === 0 || this.steps === plan.steps) return "all";
    return plan.huge && this.steps % HUGE_EVERY !== 0 ? "none" : "some";
  }

  close(): Difference | null {
    return caught("close", () => this.engine.close());
  }
}

export function caught(field: string, body: () => unknown): Difference | null {
  try {
    body();
    return null;
  } catch (error) {
    return {
      field,
      model: "no error",
      engine: error instanceof Error ? (error.stack ?? error.message) : error,
    };
  }
}

/** Sorts events whose order has no meaning. */
function ordered(state: State, sort: boolean): State {
  if (!sort) return state;
  for (const { h } of Object.values(state.st))
    for (const handle of Object.values(h)) {
      handle.inv.sort(byText);
      handle.upd?.sort(byText);
    }
  return state;
}

const byText = (a: unknown, b: unknown): number => (String(a) < String(b) ? -1 : 1);

/** Returns the first field in which two values differ. */
function differs(path: string, model: unknown, engine: unknown): Difference | null {
  if (model === engine) return null;
  if (typeof model !== "object" || typeof engine !== "object" || model === null || engine === null)
    return { field: path, model, engine };
  const a = model as Record<string, unknown>;
  const b = engine as Record<string, unknown>;
  if (Array.isArray(model) && model.length !== (engine as unknown[]).length)
    return { field: path, model, engine };
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const found = differs(path === "" ? key : `${path}.${key}`, a[key], b[key]);
    // Report a whole list of events, which says more than one element.
    if (found) return Array.isArray(model) ? { field: path, model, engine } : found;
  }
  return null;
}
