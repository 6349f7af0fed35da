/** Thrown for a sweep, a directory of results or a job that cannot be: says where, and what is expected. */
export class SweepError extends Error {
  override readonly name = "SweepError";
}
