/** How the package's objects look in console.log of Node: one line each. */
import { hex } from "./errors.ts";

/** The symbol of the method that Node's util.inspect calls. Other hosts ignore it. */
export const inspect: unique symbol = Symbol.for("nodejs.util.inspect.custom") as never;

/**
 * Writes an object as one line: `name { part, part }`. `ended` says why it has no parts to show ("closed"),
 * or is false. Parts that are false or empty are left out.
 */
export function line(name: string, ended: string | false, parts: () => readonly (string | false)[]): string {
  return ended === false ? `${name} { ${parts().filter(Boolean).join(", ")} }` : `${name} (${ended})`;
}

/** Writes a number of things: "1 page", "2 pages". */
export function count(n: number, thing: string): string {
  return `${n} ${thing}${n === 1 ? "" : "s"}`;
}

/** Writes a range of addresses or pages, whose end is exclusive. */
export function span(start: number, end: number): string {
  return `${hex(start)}-${hex(end)}`;
}
