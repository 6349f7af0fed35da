/**
 * Fits a model's constants to profiles of real programs: least squares of relative errors, so that short and
 * long runs count alike.
 */

/** Transfers of one direction: how many, their bytes, and the time of all of them in microseconds. */
export interface TransferSum {
  count: number;
  bytes: number;
  time: number;
}

/** What a profiler says of a program with managed memory. */
export interface Profile {
  name: string;
  toDevice: TransferSum | null;
  toHost: TransferSum | null;
  /** Fault groups of the GPU, and their time in microseconds. */
  groups: { count: number; time: number } | null;
}

/** Two constants, and how well they fit. Errors are relative: 0.03 is 3 % more than measured. */
export interface Fit {
  /** What one of the first quantity takes, and one of the second, in microseconds. */
  each: [first: number, second: number];
  /** By profile. */
  errors: number[];
  /** By profile: its error by the constants that all others give. */
  leftOut: number[];
}

/** A time that is a sum of two quantities' shares, beside a known part. */
interface Sample {
  first: number;
  second: number;
  known: number;
  time: number;
}

/** The constants with the least sum of squared relative errors; null if the samples do not determine them. */
function solve(samples: readonly Sample[]): [number, number] | null {
  let [aa, ab, bb, ac, bc] = [0, 0, 0, 0, 0];
  for (const { first, second, known, time } of samples) {
    const [a, b, c] = [first / time, second / time, (time - known) / time];
    aa += a * a;
    ab += a * b;
    bb += b * b;
    ac += a * c;
    bc += b * c;
  }
  const determinant = aa * bb - ab * ab;
  if (samples.length < 2 || !(determinant > 1e-9 * aa * bb)) return null;
  return [(ac * bb - bc * ab) / determinant, (bc * aa - ac * ab) / determinant];
}

function errorOf({ first, second, known, time }: Sample, [a, b]: [number, number]): number {
  return (a * first + b * second + known) / time - 1;
}

function fit(samples: readonly Sample[]): Fit | null {
  const each = solve(samples);
  if (each === null) return null;
  return {
    each,
    errors: samples.map((sample) => errorOf(sample, each)),
    leftOut: samples.map((sample, i) => {
      const others = solve(samples.filter((_, other) => other !== i));
      return others === null ? NaN : errorOf(sample, others);
    }),
  };
}

/** Fits a link: microseconds of each transfer, and of each byte. Null if the transfers are too much alike. */
export function fitLink(sums: readonly TransferSum[]): Fit | null {
  return fit(sums.map(({ count, bytes, time }) => ({ first: count, second: bytes, known: 0, time })));
}

/**
 * Fits fault groups: microseconds of each group, and of each transfer to the device in them, beside the
 * transfers' time on the link. Profiles without groups are left out.
 */
export function fitGroups(profiles: readonly Profile[]): Fit | null {
  return fit(
    profiles.flatMap(({ groups, toDevice }) => {
      if (groups === null || toDevice === null) return [];
      return [{ first: groups.count, second: toDevice.count, known: toDevice.time, time: groups.time }];
    }),
  );
}

/** Returns the mean of the errors' sizes. */
export function meanError(errors: readonly number[]): number {
  return errors.reduce((sum, error) => sum + Math.abs(error), 0) / errors.length;
}

/** Returns the size of the largest error. */
export function worstError(errors: readonly number[]): number {
  return Math.max(...errors.map((error) => Math.abs(error)));
}
