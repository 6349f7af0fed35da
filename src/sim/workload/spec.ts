/** The text that names a workload: `gups:size=8GiB,seed=1`. */

import { parseBytes } from "../size.ts";

/** A parameter of a workload. */
export type Parameter =
  | { kind: "bytes"; default: number; min: number; max?: number; about: string }
  | { kind: "count"; default: number; min: number; max?: number; about: string }
  | { kind: "share"; default: number; max?: number; about: string }
  | { kind: "choice"; default: string; choices: readonly string[]; about: string };

export type Parameters = Readonly<Record<string, Parameter>>;

/** The values of a workload's parameters: a string for a choice, else a number. */
export type Values<P extends Parameters> = {
  readonly [K in keyof P]: P[K] extends { kind: "choice" } ? string : number;
};

/** A text that names no workload, or gives a parameter a value that it cannot have. */
export class WorkloadError extends Error {
  override readonly name = "WorkloadError";
}

function parseValue(name: string, parameter: Parameter, text: string): number | string {
  const wrong = (expected: string): WorkloadError =>
    new WorkloadError(`${name}=${text}: expected ${expected}`);
  if (parameter.kind === "choice") {
    if (!parameter.choices.includes(text)) throw wrong(`one of ${parameter.choices.join(", ")}`);
    return text;
  }
  if (parameter.kind === "share") {
    const value = text.endsWith("%") ? Number(text.slice(0, -1)) / 100 : Number(text);
    const max = parameter.max ?? 1;
    if (text === "" || !(value >= 0 && value <= max)) throw wrong(`a number from 0 to ${max}`);
    return value;
  }
  const value = parseBytes(text);
  if (Number.isNaN(value)) throw wrong(parameter.kind === "bytes" ? "a size, like 64MiB" : "a whole number");
  if (value < parameter.min) throw wrong(`at least ${parameter.min}`);
  if (value > (parameter.max ?? Infinity)) throw wrong(`at most ${parameter.max}`);
  return value;
}

/** Splits `name:key=value,…`. */
export function splitSpec(text: string): { name: string; given: Map<string, string> } {
  const at = text.indexOf(":");
  const name = at < 0 ? text : text.slice(0, at);
  const given = new Map<string, string>();
  for (const item of at < 0 ? [] : text.slice(at + 1).split(",")) {
    const [key, value] = item.split("=", 2);
    if (value === undefined) throw new WorkloadError(`${text}: expected key=value, found "${item}"`);
    if (given.has(key)) throw new WorkloadError(`${text}: ${key} is given twice`);
    given.set(key, value);
  }
  return { name, given };
}

/** The values of all parameters: those given, and the defaults of the others. Throws WorkloadError. */
export function parseValues<P extends Parameters>(
  workload: string,
  parameters: P,
  given: ReadonlyMap<string, string>,
): Values<P> {
  const unknown = [...given.keys()].find((key) => !(key in parameters));
  if (unknown !== undefined) {
    const known = Object.keys(parameters).join(", ");
    throw new WorkloadError(`${workload} has no parameter ${unknown}; it has ${known}`);
  }
  const values = Object.entries(parameters).map(([name, parameter]) => {
    const text = given.get(name);
    return [name, text === undefined ? parameter.default : parseValue(name, parameter, text)];
  });
  return Object.fromEntries(values) as Values<P>;
}
