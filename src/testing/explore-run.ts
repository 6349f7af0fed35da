import { badType, hex } from "../engine/errors.ts";
import type { Hmm } from "../index.ts";
import { stateOf } from "../inside.ts";
import { makeStep, type Step } from "./explore-lock.ts";
import { Hash, hashEngine } from "./explore-state.ts";

/**
 * A participant of {@link explore}, as a generator: each `yield` names the next step, and the code up to the
 * following `yield` is that step. Steps of other agents run between its steps, never inside one.
 */
export type Agent<W> = (world: W) => Generator<string, void, void>;

/** A step of a schedule: its agent, and the name that the agent gave it. */
export interface ScheduleStep {
  agent: string;
  label: string;
}

/** An agent in the middle of a schedule. */
interface Actor {
  readonly name: string;
  readonly generator: Generator<string, void, void>;
  /** The labels so far. Together with the world's state they decide what the agent does next. */
  readonly story: Hash;
  /** Its next step; null when it is done. */
  label: string | null;
}

/** @internal A world and its agents, in the middle of one schedule. */
export class Run<W> {
  readonly hmm: Hmm;
  readonly world: W;
  /** Steps made so far. */
  readonly steps: ScheduleStep[] = [];
  readonly #actors = new Map<string, Actor>();

  constructor(hmm: Hmm, setup: (hmm: Hmm) => W, agents: Record<string, Agent<W>>) {
    this.hmm = hmm;
    this.world = setup(hmm);
    for (const [name, agent] of Object.entries(agents)) {
      const actor = { name, generator: agent(this.world), story: new Hash(), label: null };
      this.#actors.set(name, actor);
      this.#advance(actor);
    }
  }

  /**
   * The agents that are not done. The one that made the last step comes first, so that schedules switch
   * agents as rarely as possible.
   */
  get unfinished(): string[] {
    const last = this.steps.at(-1)?.agent;
    const names = [...this.#actors.values()].filter(({ label }) => label !== null).map(({ name }) => name);
    return last !== undefined && names.includes(last) ? [last, ...names.filter((n) => n !== last)] : names;
  }

  /** Returns the label of the agent's next step; null if there is no such agent, or it is done. */
  labelOf(agent: string): string | null {
    return this.#actors.get(agent)?.label ?? null;
  }

  /**
   * Makes the next step of an agent that is not done. Returns null, or what the step has to wait for: then
   * the world is spoiled, and the run must be dropped. Throws what the agent throws.
   */
  step(agent: string): string | null {
    const actor = this.#actors.get(agent)!;
    const step: Step = { agent, waits: null };
    const made = { agent, label: actor.label! };
    try {
      makeStep(step, () => this.#advance(actor));
    } catch (error) {
      if (step.waits === null) throw error;
    }
    if (step.waits !== null) return step.waits;
    this.steps.push(made);
    return null;
  }

  /** Returns a number for this state: states with the same number have the same future. */
  state(more: unknown): number {
    const hash = new Hash();
    hashEngine(hash, stateOf("explore", this.hmm));
    for (const { story } of this.#actors.values()) hash.hash(story);
    if (more !== undefined) hash.text(JSON.stringify(more));
    return hash.value;
  }

  /** What is left open now that all agents are done; null: nothing. */
  get leftOver(): string | null {
    for (const { id, mmapSem, ranges } of this.hmm.mms()) {
      const held = mmapSem.holders.join(", ");
      if (held !== "") return `mm ${id}: mmapSem is still held: ${held}`;
      if (ranges.length > 0)
        return `mm ${id}: hmmVmaRangeDone is due: ${hex(ranges[0].start)}…${hex(ranges[0].end)}`;
    }
    const [open] = this.hmm.migrations();
    return open === undefined ? null : `migration ${open.id} is still open`;
  }

  #advance(actor: Actor): void {
    const { done, value } = actor.generator.next();
    if (done !== true && typeof value !== "string")
      throw badType("explore", `what agent ${actor.name} yields`, "a string", value);
    actor.label = done === true ? null : value;
    actor.story.text(actor.label ?? "\0");
  }
}
