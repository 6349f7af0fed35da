/** The part of the axis of time that all pictures show. */

type Listener = (from: number, to: number) => void;

export class TimeRange {
  end: number;
  from = 0;
  to: number;
  readonly #listeners: Listener[] = [];

  constructor(end: number) {
    this.end = end;
    this.to = end;
  }

  /** Calls a listener now and after each change. */
  follow(listener: Listener): void {
    this.#listeners.push(listener);
    listener(this.from, this.to);
  }

  /** Shows [from, to), clipped to the run. */
  show(from: number, to: number): void {
    const length = Math.max(to - from, this.end / 1e6);
    const start = Math.min(Math.max(0, from), Math.max(0, this.end - length));
    const end = Math.min(this.end, start + length);
    if (start === this.from && end === this.to) return;
    this.from = start;
    this.to = end;
    for (const listener of this.#listeners) listener(start, end);
  }

  /** The run has become longer. Where all of it was shown, all of it is; the caller draws it. */
  extend(end: number): void {
    if (this.from === 0 && this.to === this.end) this.to = end;
    this.end = end;
  }

  /** Shows less (factor below 1) or more around a point, by default the middle. */
  zoom(factor: number, around = (this.from + this.to) / 2): void {
    this.show(around - (around - this.from) * factor, around + (this.to - around) * factor);
  }

  /** Moves by a share of what is shown. */
  pan(share: number): void {
    const by = (this.to - this.from) * share;
    this.show(this.from + by, this.to + by);
  }
}
