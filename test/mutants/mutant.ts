/** One way to break the engine: a change of one place in one file. */
export interface Mutant {
  /** The mistake in kebab case, unique. */
  name: string;
  /** The file's path from the project's root. */
  file: string;
  /** The text to replace, which must occur exactly once in the file. */
  before: string;
  /** The replacement. */
  after: string;
  /**
   * Test files to ask first, as `golden` (a kind) or `unit/swap` (suites.ts): the fewest and quickest that
   * notice it. Asking them first only saves time.
   */
  ask?: readonly string[];
}

/** A mutant that no longer fits the code. */
export class MutantError extends Error {
  override readonly name = "MutantError";
}

/** Returns the file's text with the mutant. Throws MutantError unless `before` occurs exactly once. */
export function mutate(text: string, { name, file, before, after }: Mutant): string {
  const found = text.split(before).length - 1;
  if (found !== 1) {
    const how = found === 0 ? "is not there any more" : `is there ${found} times`;
    throw new MutantError(`${name}: its text ${how} in ${file}; follow the code: ${JSON.stringify(before)}`);
  }
  if (before === after) throw new MutantError(`${name}: it changes nothing`);
  return text.replace(before, () => after);
}
