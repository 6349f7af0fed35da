import type { Hmm } from "../../index.ts";
import type { Bug, LabConfig } from "../config.ts";
import { Lab } from "../lab.ts";
import type { Agent, Operation, Verb } from "../operation.ts";
import { formatPermalink, openPermalink } from "../permalink.ts";
import { findRace, type RaceResult } from "../race.ts";
import type { Scenario } from "../scenario.ts";
import { openScenario, SCENARIOS } from "../scenarios.ts";
import { openStop, TOUR } from "../tour.ts";
import { copyAsTypeScript } from "../typescript.ts";

/** Which pages, process and device the next operation concerns. */
export interface Selection {
  first: number;
  last: number;
  process: number;
  device: number;
}

/** What a user does with one lab: the lab, what is selected, and what was found. */
export class Session {
  readonly module: Hmm["module"];
  #lab: Lab;
  #listeners = new Set<() => void>();
  /** The scenario that the lab began with; null: a permalink or a world of the user's. */
  scenario: Scenario | null = null;
  /** The stop of the tour, or null. */
  stop: number | null = null;
  selection: Selection = { first: 0, last: 3, process: 1, device: 1 };
  /** Whether operations are given to their agents without being carried out. */
  queueing = false;
  race: RaceResult | null = null;
  /** The step from which the order that fails begins. */
  raceFrom = 0;
  /** What is to be said, beside the step. */
  message = "";

  constructor(module: Hmm["module"]) {
    this.module = module;
    this.#lab = new Lab({}, module);
  }

  get lab(): Lab {
    return this.#lab;
  }

  /** What the address after `#` should be. */
  get link(): string {
    return formatPermalink({ program: this.#lab.program, step: this.#lab.at });
  }

  get program(): string {
    return copyAsTypeScript(this.#lab);
  }

  /** Calls `listener` after each change. Returns the function that ends that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // ── what is shown ──

  /** Opens a scenario by name, at a step, by default at its beginning. Throws RangeError for another name. */
  open(name: string, step = 0): void {
    this.#replace(openScenario(name, this.module));
    this.scenario = SCENARIOS.find((each) => each.name === name)!;
    this.queueing = this.scenario.race !== undefined;
    if (!this.queueing) this.#lab.goto(Math.min(Math.max(0, step), this.#lab.steps.length - 1));
    this.changed();
  }

  /** Opens what a permalink names. Throws RangeError and TypeError. */
  openLink(text: string): void {
    this.#replace(openPermalink(text, this.module));
    this.queueing = this.#lab.steps[this.#lab.steps.length - 1].state.agents.length > 0;
    this.changed();
  }

  /** Makes a fresh world. Throws RangeError and TypeError for a bad configuration. */
  fresh(config: Partial<LabConfig>): void {
    this.#replace(new Lab({ ...this.#lab.config, ...config }, this.module));
    this.changed();
  }

  /** Goes to a stop of the tour; null ends it. */
  goToStop(stop: number | null): void {
    if (stop !== null) {
      this.#replace(openStop(stop, this.module));
      this.scenario = SCENARIOS.find(({ name }) => name === TOUR[stop].scenario)!;
      this.queueing = this.scenario.race !== undefined;
    }
    this.stop = stop;
    this.changed();
  }

  goto(step: number): void {
    const last = this.#lab.steps.length - 1;
    this.#lab.goto(Math.min(Math.max(0, step), last));
    this.message = "";
    this.changed();
  }

  // ── what is done ──

  /** Selects pages: one, or the range from the last one selected alone. */
  select(page: number, extend: boolean): void {
    const { first } = this.selection;
    const [low, high] = extend ? [Math.min(first, page), Math.max(first, page)] : [page, page];
    this.choose({ first: low, last: high });
  }

  choose(part: Partial<Selection>): void {
    this.selection = { ...this.selection, ...part };
    this.changed();
  }

  /**
   * Carries an operation on the selection out, after the operation that is shown, and shows its first step.
   * Where operations are queued, gives it to its agent at the step that is shown.
   */
  do(verb: Verb): void {
    const operation: Operation = { verb, ...this.selection };
    this.#try(() => {
      const lab = this.#lab;
      if (this.queueing) return lab.give(operation);
      let at = lab.at;
      while (lab.steps[at + 1]?.operation === lab.shown.operation) at++;
      lab.goto(at);
      if (!lab.do(operation)) return;
      const index = lab.operations.length - 1;
      lab.goto(lab.steps.findIndex((step) => step.operation === index));
    });
  }

  /** Makes an agent's next step. */
  step(agent: Agent): void {
    this.#try(() => void this.#lab.step(agent));
  }

  /** Has everybody go on, in turn, to the end. */
  finish(): void {
    this.#try(() => void this.#lab.finish());
  }

  /** Looks for an order that fails, and replays it up to the step that fails. */
  search(): void {
    this.#try(() => {
      const { program, steps, at } = this.#lab;
      const order = steps
        .slice(0, at + 1)
        .flatMap(({ agent, inside }) => (agent === null || inside ? [] : [agent]));
      this.race = findRace({ ...program, order });
      this.raceFrom = at;
      for (const agent of this.race.order ?? []) this.#lab.step(agent);
      if (this.race.order !== null) this.#lab.goto(at);
    });
  }

  /** Gives the driver another bug, and begins again: the scenario's operations done, the others queued. */
  setBug(bug: Bug): void {
    const { scenario } = this;
    const { operations, config } = this.#lab.program;
    const waiting = this.#lab.shown.state.agents.length;
    const done = scenario?.operations.split(" ").length ?? operations.length - waiting;
    const lab = new Lab({ ...config, bug }, this.module);
    operations.forEach((operation, i) => (i < done ? void lab.do(operation) : lab.give(operation)));
    this.#replace(lab);
    this.scenario = scenario;
    this.queueing = true;
    this.changed();
  }

  /** Tells everybody who has subscribed. */
  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #replace(lab: Lab): void {
    this.#lab = lab;
    this.scenario = null;
    this.stop = null;
    this.race = null;
    this.message = "";
    const { pages, devices } = lab.config;
    const { first, last, device } = this.selection;
    this.selection = {
      first: Math.min(first, pages - 1),
      last: Math.min(last, pages - 1),
      process: 1,
      device: Math.min(device, devices),
    };
  }

  #try(body: () => void): void {
    this.race = null;
    try {
      this.message = "";
      body();
      this.message = this.#lab.notice;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.message = error.message;
    }
    this.changed();
  }
}
