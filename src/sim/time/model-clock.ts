/** The clock of the managed driver where there is a time model: the timeline's. */
import { Clock } from "../driver/clock.ts";
import type { Timeline } from "./timeline.ts";

const PS_PER_NS = 1000;

export class ModelClock extends Clock {
  readonly #timeline: Timeline;

  constructor(timeline: Timeline) {
    super();
    this.#timeline = timeline;
  }

  override get now(): number {
    return Math.floor(this.#timeline.now / PS_PER_NS);
  }

  /** The timeline hears of the event itself. */
  override pass(): void {}

  override until(time: number): void {
    this.#timeline.wait(time * PS_PER_NS);
  }
}
