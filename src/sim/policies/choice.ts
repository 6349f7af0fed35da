/** Policies by name, some with a number: "segfifo:30". */

/** What a table of policies says about each. */
interface Named {
  readonly parameter?: { readonly about: string; readonly min: number; readonly max: number };
}

/** A policy of a table. */
export interface Choice<P> {
  policy: P;
  /** The number after the name; undefined if there is none. */
  parameter: number | undefined;
}

/** Returns the policy that a text names; null if there is none, or its number is out of bounds. */
export function chosen<P extends Named>(text: string, table: Readonly<Record<string, P>>): Choice<P> | null {
  if (Object.hasOwn(table, text)) return { policy: table[text], parameter: undefined };
  const [, name, digits] = /^(.+):(\d{1,9})$/.exec(text) ?? [];
  if (name === undefined || !Object.hasOwn(table, name)) return null;
  const policy = table[name];
  const parameter = Number(digits);
  if (policy.parameter === undefined) return null;
  return parameter >= policy.parameter.min && parameter <= policy.parameter.max
    ? { policy, parameter }
    : null;
}

/** Returns how the names of a table are written, for messages: those with a number as name:N. */
export function namesOf(table: Readonly<Record<string, Named>>): string[] {
  return Object.entries(table).map(([name, { parameter }]) => (parameter === undefined ? name : `${name}:N`));
}
