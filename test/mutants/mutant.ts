/** One way to break the engine: a change of one place in one file, and what is wrong with it then. */
export interface Mutant {
  /** In kebab case, unique. */
  name: string;
  /** From the project's root. */
  file: string;
  /** What stands there; it must be there exactly once. */
  before: string;
  /** What stands there instead. */
  after: string;
  /** Test files to ask first, as `golden` (a kind) or `unit/swap` (suites.ts); asking them first only saves time. */
  ask?: readonly string[];
}

/** A mutant that cannot be made: it no longer fits the code. */
export class MutantError extends Error {
  override readonly name = "MutantError";
}

/** The text of the mutant's file with the mutant in it. Throws MutantError unless `before` is there exactly once. */
export function mutate(text: string, { name, file, before, after }: Mutant): string {
  const found = text.split(before).length - 1;
  if (found !== 1) {
    const how = found === 0 ? "is not there any more" : `is there ${found} times`;
    throw new MutantError(`${name}: its text ${how} in ${file}; follow the code: ${JSON.stringify(before)}`);
  }
  if (before === after) throw new MutantError(`${name}: it changes nothing`);
  return text.replace(before, () => after);
}
