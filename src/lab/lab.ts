import { badRange, checkInteger, HmmError } from "../engine/errors.ts";
import type { Hmm } from "../index.ts";
import { checkConfig, type LabConfig } from "./config.ts";
import { changes } from "./diff.ts";
import { agentOf, checkOperation, describeOperation, type Agent, type Operation } from "./operation.ts";
import { describeWorld, type LabState } from "./state.ts";
import { currentTask, enqueue, runStep, type StepResult } from "./steps.ts";
import type { StepId } from "./texts.ts";
import { World, type Checkpoint, type Look } from "./world.ts";

/** One step of the timeline, and the state after it. */
export interface LabStep {
  readonly id: StepId;
  /** Who made it; null: the fresh world. */
  readonly agent: Agent | null;
  /** Its operation, as `lab.operations` numbers them; -1: the fresh world. */
  readonly operation: number;
  /** What came of it. */
  readonly detail: string;
  /** Whether it lies inside a call: the engine cannot stop there, and the lab has only looked. */
  readonly inside: boolean;
  /** The error with which the operation ended. */
  readonly error: string | null;
  /** Which invariant of the engine is broken after it. */
  readonly broken: string | null;
  readonly state: LabState;
  /** The places that changed: see changes(). */
  readonly changed: readonly string[];
  /** The calls of the step, in TypeScript. */
  readonly code: readonly string[];
  /** The calls that gave back what the step held, where it failed. */
  readonly after: readonly string[];
}

/** What a lab was made to do, as plain data: the same program makes the same steps. */
export interface Program {
  readonly config: LabConfig;
  readonly operations: readonly Operation[];
  /** Who made the steps, one after the other, without those inside a step. */
  readonly order: readonly Agent[];
  /**
   * How many operations were given by the time the fresh world was left, and each step of the order. Default:
   * all of them from the beginning.
   */
  readonly given?: readonly number[];
}

/** A step with what the lab needs to go on from it. */
interface Entry extends LabStep {
  /** null inside a step. */
  readonly checkpoint: Checkpoint | null;
  /** How many operations were given by then. */
  readonly given: number;
}

/** More steps than this are a loop that does not end. */
const STEPS_MAX = 600;
/** By how many bytes a snapshot may grow: page tables, and a few bytes for each open object. */
const ROOM = 1 << 19;

/**
 * A small world on a real engine, and the timeline of the steps that were made in it. One step is shown; what
 * is done next goes on from there, and drops what came after it. A lab is independent of every other one.
 */
export class Lab {
  readonly config: LabConfig;
  readonly #module: Hmm["module"];
  /** Room for snapshots. */
  readonly #buffer: Uint8Array;
  #world: World;
  /** The entry that #world stands at. */
  #stands = 0;
  #entries: Entry[] = [];
  #operations: Operation[] = [];
  #at = 0;
  #notice = "";

  /**
   * Makes a fresh world. `module` is the compiled core of an engine (hmm.module); by default the package's
   * own is compiled. Throws RangeError and TypeError for a bad configuration.
   */
  constructor(config: Partial<LabConfig> = {}, module?: Hmm["module"]) {
    this.config = checkConfig(config);
    this.#world = World.create(this.config, module);
    this.#module = this.#world.hmm.module;
    const none = { detail: "", inside: false, error: null, broken: null, code: [], after: [], changed: [] };
    const state = describeWorld(this.#world);
    const checkpoint = this.#world.checkpoint();
    this.#buffer = new Uint8Array(checkpoint.engine.length + ROOM);
    this.#entries.push({ id: "begin", agent: null, operation: -1, ...none, state, checkpoint, given: 0 });
  }

  /** Makes a lab that has carried a program out; the last step is shown. Throws as {@link do}. */
  static run({ config, operations, order, given }: Program, module?: Hmm["module"]): Lab {
    const lab = new Lab(config, module);
    const upTo = (step: number, add: (operation: Operation) => void): void => {
      const end = Math.min(given?.[step] ?? operations.length, operations.length);
      while (lab.#operations.length < end) add(operations[lab.#operations.length]);
    };
    upTo(0, (operation) => lab.give(operation));
    const made = order.findIndex((agent, i) => {
      upTo(i + 1, (operation) => lab.#add(operation));
      return !lab.step(agent);
    });
    if (made < 0) upTo(order.length + 1, (operation) => lab.give(operation));
    return lab;
  }

  /** The timeline, from the fresh world on. */
  get steps(): readonly LabStep[] {
    return this.#entries;
  }

  /** Which step is shown. */
  get at(): number {
    return this.#at;
  }

  /** The step that is shown. */
  get shown(): LabStep {
    return this.#entries[this.#at];
  }

  /** The operations that were given, oldest first. */
  get operations(): readonly Operation[] {
    return this.#operations;
  }

  /** What the last call could not do: who has to wait, and for what. Empty: nothing. */
  get notice(): string {
    return this.#notice;
  }

  /** The agents that have something to do after the step that is shown. */
  get ready(): Agent[] {
    return this.shown.state.agents.map(({ agent }) => agent);
  }

  /** The program that makes this timeline. */
  get program(): Program {
    const outer = this.#entries.filter(({ inside }) => !inside);
    const order = outer.flatMap(({ agent }) => agent ?? []);
    return {
      config: this.config,
      operations: this.#operations,
      order,
      given: outer.map(({ given }) => given),
    };
  }

  /** Shows a step. Throws RangeError unless the timeline has it. */
  goto(step: number): void {
    checkInteger("lab.goto", "step", step, 0, this.#entries.length - 1);
    this.#at = step;
    this.#notice = "";
  }

  /**
   * Gives an operation to its agent without making a step. Throws RangeError if the world lacks its pages,
   * process or device.
   */
  give(operation: Operation): void {
    this.#add(operation);
    this.#replace();
  }

  /**
   * Makes the next step of an agent, from the step that is shown on. Returns false, and says in `notice` why,
   * if the agent has to wait or has nothing to do.
   */
  step(agent: Agent): boolean {
    this.#stand();
    if (currentTask(this.#world, agent) === undefined) {
      this.#notice = "there is nothing to do";
      return false;
    }
    if (this.#entries.length > STEPS_MAX)
      throw badRange("lab.step", "steps", `at most ${STEPS_MAX}`, STEPS_MAX + 1);
    const looks: Omit<Entry, "changed">[] = [];
    const given = this.#operations.length;
    const operation = currentTask(this.#world, agent)!.id - 1;
    this.#world.onLook = ({ id, detail }: Look) => {
      const none = { error: null, broken: null, code: [], after: [], checkpoint: null };
      looks.push({
        id,
        agent,
        operation,
        detail,
        inside: true,
        ...none,
        state: describeWorld(this.#world),
        given,
      });
    };
    const result = runStep(this.#world, agent);
    this.#world.onLook = null;
    if (result.waits !== null) {
      // The step counts as not begun: the world is as it was before.
      const entry = this.#entries[this.#at];
      this.#world = World.restore(entry.checkpoint!, this.config, this.#module);
      for (const waiting of this.#operations.slice(entry.given)) enqueue(this.#world, waiting);
      this.#replace();
      this.#notice = `${describeOperation(result.task.operation)} has to wait: ${result.waits}`;
      return false;
    }
    for (const look of looks) this.#append(look);
    this.#append({ ...this.#outer(result, agent, operation), given });
    return true;
  }

  /**
   * Carries an operation out, after what its agent has still to do. Returns whether it came to its end;
   * `notice` says why not. Throws as {@link give}.
   */
  do(operation: Operation): boolean {
    this.#add(operation);
    const agent = agentOf(operation);
    while (currentTask(this.#world, agent) !== undefined) if (!this.step(agent)) return false;
    return true;
  }

  /** Has everybody make steps, in turn, until nobody can go on. Returns whether all is done. */
  finish(): boolean {
    for (;;) {
      const { ready } = this;
      if (ready.length === 0) return true;
      if (!ready.some((agent) => this.step(agent))) return false;
    }
  }

  /** Brings the world to the step that is shown, or to the step that the one inside it belongs to. */
  #stand(): void {
    this.#notice = "";
    while (this.#entries[this.#at].inside) this.#at++;
    if (this.#at === this.#entries.length - 1 && this.#stands === this.#at) return;
    const { checkpoint, given } = this.#entries[this.#at];
    this.#world = World.restore(checkpoint!, this.config, this.#module);
    this.#entries.length = this.#at + 1;
    this.#operations.length = given;
    this.#stands = this.#at;
  }

  /** Puts an operation into its agent's queue. The shown step does not have it, until #replace(). */
  #add(operation: Operation): void {
    checkOperation(operation, this.config);
    this.#stand();
    enqueue(this.#world, operation);
    this.#operations.push(operation);
  }

  /** The shown step has the operations that were given since. */
  #replace(): void {
    const entry = this.#entries[this.#at];
    const state = describeWorld(this.#world);
    const given = this.#operations.length;
    this.#entries[this.#at] = { ...entry, state, checkpoint: this.#world.checkpoint(this.#buffer), given };
  }

  #outer(result: StepResult, agent: Agent, operation: number): Omit<Entry, "changed" | "given"> {
    const { id, detail, error, before, after } = result;
    const made = { id, agent, operation, detail, error, code: [...before, ...result.code], after };
    const state = describeWorld(this.#world);
    const checkpoint = this.#world.checkpoint(this.#buffer);
    return { ...made, inside: false, broken: this.#broken(), state, checkpoint };
  }

  #broken(): string | null {
    try {
      this.#world.hmm.verify();
      return null;
    } catch (error) {
      if (error instanceof HmmError) return error.message.split("\n")[0];
      throw error;
    }
  }

  #append(entry: Omit<Entry, "changed">): void {
    const changed = changes(this.#entries[this.#entries.length - 1].state, entry.state);
    this.#at = this.#stands = this.#entries.push({ ...entry, changed }) - 1;
  }
}
