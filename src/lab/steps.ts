import { EAGAIN, EDEADLK, HmmError } from "../index.ts";
import { makeStep, type Step } from "../testing/explore-lock.ts";
import { agentOf, type Agent, type Operation } from "./operation.ts";
import { startOf, type StepRun } from "./outcome.ts";
import { CPU_FIRST, CPU_STEPS } from "./steps-cpu.ts";
import { MIGRATE_STEPS } from "./steps-migrate.ts";
import { MIRROR_STEPS } from "./steps-mirror.ts";
import { newTask, type Task } from "./task.ts";
import type { StepId } from "./texts.ts";
import type { World } from "./world.ts";

const RUNS: Partial<Record<StepId, StepRun>> = { ...CPU_STEPS, ...MIRROR_STEPS, ...MIGRATE_STEPS };

const FIRST: Record<Operation["verb"], StepId> = {
  ...CPU_FIRST,
  dr: "device-access",
  dw: "device-access",
  m: "read-begin",
  mw: "read-begin",
  to: "sem",
  back: "sem",
  evict: "evict-setup",
  excl: "exclusive",
};

/** Why a step has to wait: an open migration, or mmap_sem. */
const WAITS: readonly number[] = [EAGAIN, EDEADLK];

/** What became of a step. */
export interface StepResult {
  readonly task: Task;
  readonly id: StepId;
  readonly detail: string;
  readonly code: readonly string[];
  /** The calls before these, and those that gave back what a step held that failed. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** What the step has to wait for: then the world is spoiled, and must be restored. */
  readonly waits: string | null;
  /** The error with which the operation ended. */
  readonly error: string | null;
}

/** Puts an operation at the end of its agent's queue. */
export function enqueue(world: World, operation: Operation): void {
  const { data } = world;
  data.queues[agentOf(operation)].push(
    newTask(data.task++, operation, FIRST[operation.verb], startOf(operation)),
  );
}

/** The operation that an agent carries out, or begins next; undefined: it has none. */
export function currentTask(world: World, agent: Agent): Task | undefined {
  return world.data.queues[agent][0];
}

/**
 * Makes the next step of an agent that has one. Throws where the step has to wait, as explore() wants it:
 * then the world is spoiled. An operation that fails for another reason ends.
 */
export function advance(world: World, agent: Agent): Omit<StepResult, "waits"> {
  const task = world.data.queues[agent][0];
  const id = task.next!;
  const before: string[] = [];
  world.attempt = [];
  let after: readonly string[] = [];
  let made: Pick<StepResult, "detail" | "code" | "error">;
  try {
    const settled = agent !== "cpu" && world.settleLate(task.operation.device);
    if (settled) before.push(`device${task.operation.device}.settleLate();`);
    const { next, detail, code } = RUNS[id]!(world, task, agent);
    task.next = next;
    made = { detail, code, error: null };
  } catch (thrown) {
    if (!(thrown instanceof HmmError) || WAITS.includes(thrown.errno)) throw thrown;
    made = { detail: "", code: world.attempt, error: thrown.message };
    after = giveUp(world, agent, task);
  }
  if (task.next === null) world.data.queues[agent].shift();
  return { task, id, ...made, before, after };
}

/** Makes the next step of an agent that has one, and says whether it has to wait. */
export function runStep(world: World, agent: Agent): StepResult {
  const task = world.data.queues[agent][0];
  const nothing = { task, id: task.next!, detail: "", code: [], before: [], after: [], error: null };
  const step: Step = { agent, waits: null };
  let result: Omit<StepResult, "waits"> = nothing;
  try {
    result = makeStep(step, () => advance(world, agent));
  } catch (thrown) {
    if (step.waits === null) throw thrown;
  }
  return { ...(step.waits === null ? result : nothing), waits: step.waits };
}

/** Ends an operation that failed: nothing of it stays open. Returns the calls for that. */
function giveUp(world: World, agent: Agent, task: Task): string[] {
  const open = world.hmm.migrations().find(({ id }) => id === task.migration);
  const code = open === undefined ? [] : [`m${task.id}.finalize();`];
  open?.finalize();
  code.push(...[...task.holds].reverse().map((hold) => `${hold}${task.id}.close();`));
  world.release(agent, task);
  task.next = null;
  return code;
}
