/**
 * An axis of time in columns. It begins with columns of one unit; when a time lies beyond the last column,
 * pairs of columns are merged. So the number of columns is bounded, however long a run is.
 */

/** Columns, at most. After the first merge at least half of them are used. */
export const COLUMNS = 512;

export class TimeAxis {
  /** What a column spans, in the units of the times. */
  width = 1;
  readonly #all = new Set<Float64Array>();

  /** Returns a series with a value for each column, which is merged with the axis: values are sums. */
  series(): Float64Array {
    const series = new Float64Array(COLUMNS);
    this.#all.add(series);
    return series;
  }

  /** A series is needed no more. */
  drop(series: Float64Array): void {
    this.#all.delete(series);
  }

  /** Returns the column of a time. */
  column(time: number): number {
    while (time >= COLUMNS * this.width) this.#double();
    return Math.floor(time / this.width);
  }

  /** Adds an amount to a series over [start, end), evenly; at once, if the span is empty. */
  spread(series: Float64Array, start: number, end: number, amount: number): void {
    const last = this.column(end);
    const first = Math.floor(start / this.width);
    if (first === last || end <= start) {
      series[last] += amount;
      return;
    }
    const rate = amount / (end - start);
    series[first] += rate * ((first + 1) * this.width - start);
    for (let i = first + 1; i < last; i++) series[i] += rate * this.width;
    series[last] += rate * (end - last * this.width);
  }

  /** What column i spans of a run of some length: the last one ends with the run. */
  lengthOf(i: number, end: number): number {
    return Math.max(1, Math.min(this.width, end - i * this.width));
  }

  #double(): void {
    this.width *= 2;
    for (const series of this.#all) {
      for (let i = 0; i < COLUMNS / 2; i++) series[i] = series[2 * i] + series[2 * i + 1];
      series.fill(0, COLUMNS / 2);
    }
  }
}

/** A value that stays until it changes: its series has the value times the time that it lasted. */
export class Gauge {
  readonly series: Float64Array;
  value = 0;
  readonly #axis: TimeAxis;
  #last = 0;

  constructor(axis: TimeAxis) {
    this.#axis = axis;
    this.series = axis.series();
  }

  /** Changes the value at a time. */
  add(time: number, change: number): void {
    this.#settle(time);
    this.value += change;
  }

  /** Takes account of the time up to now. */
  #settle(time: number): void {
    if (time <= this.#last) return;
    if (this.value !== 0) this.#axis.spread(this.series, this.#last, time, this.value * (time - this.#last));
    this.#last = time;
  }

  /** Returns the series up to a time on the axis, as a copy: the gauge itself stays where it is. */
  until(time: number): Float64Array {
    const copy = this.series.slice();
    if (time > this.#last && this.value !== 0)
      this.#axis.spread(copy, this.#last, time, this.value * (time - this.#last));
    return copy;
  }

  /** Takes over another gauge, which is needed no more. */
  merge(other: Gauge, time: number): void {
    this.#settle(time);
    other.#settle(time);
    this.value += other.value;
    for (let i = 0; i < COLUMNS; i++) this.series[i] += other.series[i];
    this.#axis.drop(other.series);
  }
}
