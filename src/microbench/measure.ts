/** Measures a microbenchmark by mitata. */
import { measure } from "mitata/src/lib.mjs";
import type { Microbenchmark } from "./program.ts";

/** What a program costs here. */
export interface Figure {
  readonly name: string;
  readonly unit: Microbenchmark["unit"];
  /** Units in a repetition. */
  readonly units: number;
  /** Repetitions that were timed. */
  readonly repetitions: number;
  /** Nanoseconds of a unit: the median of the repetitions, the quartles and the fastest. */
  readonly ns: { readonly median: number; readonly p25: number; readonly p75: number; readonly min: number };
  /** Gigabytes (10⁹ bytes) that the median repetition copies a second; null: it copies nothing. */
  readonly gbps: number | null;
}

/** Seconds for which a program runs before it is timed: V8 compiles in tiers. */
const WARM_UP = 0.15;
const REPETITIONS_MIN = 8;

/**
 * Runs a program for at least `seconds` of timed work, and at least eight times. Throws if a repetition does
 * not do what it should, and whatever the engine throws.
 */
export async function measured(program: Microbenchmark, seconds: number): Promise<Figure> {
  const work = await program.open();
  try {
    const once = (): void => {
      work.prepare?.();
      work.run();
      work.check();
    };
    const warm = performance.now() + 1000 * Math.min(WARM_UP, seconds);
    do once();
    while (performance.now() < warm);
    let first = true;
    const prepare = (): void => {
      if (!first) work.check();
      first = false;
      work.prepare?.();
    };
    const { samples, min, p25, p50, p75 } = await measure(
      function* () {
        yield { [0]: prepare, bench: (_: unknown) => work.run() } as never;
      },
      // A repetition changes what the next one finds, so that none runs twice in a sample; and no garbage
      // is collected by force, which takes a gigabyte where it cannot be asked for.
      { min_cpu_time: 1e9 * seconds, min_samples: REPETITIONS_MIN + 4, batch_threshold: -1, gc: false },
    );
    work.check();
    const { units, bytes } = work;
    const ns = { median: p50 / units, p25: p25 / units, p75: p75 / units, min: min / units };
    const gbps = bytes === 0 ? null : bytes / p50;
    return { name: program.name, unit: program.unit, units, repetitions: samples.length, ns, gbps };
  } finally {
    work.close();
  }
}
