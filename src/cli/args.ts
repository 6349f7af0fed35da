/** Parses the values of the command's options, and says what is wrong with them. */
import { readFileSync } from "node:fs";
import { ADDRESS_END } from "../sim/address-range.ts";
import { fileError, UserError } from "./errors.ts";
import { offloadValue, type OffloadValue } from "./offload-value.ts";

/** Parses a whole number from 1 to 2^32 - 1. Throws UserError for anything else. */
export function parseCount(option: string, text: string): number {
  const n = /^\d+$/.test(text) ? Number(text) : 0;
  if (n < 1 || n > 0xffffffff) throw new UserError(`${option} ${text}: expected a whole number from 1 on`);
  return n;
}

/** Parses one of `choices`. Throws UserError for anything else. */
export function parseChoice<T extends string>(option: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((one) => one === text);
  if (choice === undefined) throw new UserError(`${option} ${text}: expected ${choices.join(" or ")}`);
  return choice;
}

/** Parses an address, with or without 0x. Throws UserError for anything else. */
export function parseAddress(option: string, text: string): number {
  const value = /^(?:0x)?[0-9a-f]{1,16}$/i.test(text) ? Number.parseInt(text, 16) : NaN;
  if (!(value < ADDRESS_END))
    throw new UserError(`${option} ${text}: expected an address below 2^48, as 0x…`);
  return value;
}

/** Reads the values of a file: one a line, without blank lines and comments, which start with a #. */
function readValues(path: string): OffloadValue[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw fileError(path, error);
  }
  const values = text
    .replace(/^\ufeff/, "")
    .split("\n")
    .flatMap((line, i) => {
      const content = line.replace(/#.*/, "").trim();
      return content === "" ? [] : [offloadValue(`${path}:${i + 1}`, content)];
    });
  if (values.length === 0) throw new UserError(`${path}:1: no offload range in this file`);
  return values;
}

/** Parses all --offload values: ranges, functions, and @FILE for those of a file. */
export function parseOffload(values: readonly string[]): OffloadValue[] {
  return values.flatMap((value) =>
    value.startsWith("@") ? readValues(value.slice(1)) : [offloadValue(`--offload ${value}`, value)],
  );
}
