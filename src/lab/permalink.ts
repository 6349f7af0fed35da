/** A lab's program and the shown step as a short text, for the part of an address after `#`. */
import { badRange } from "../engine/errors.ts";
import type { Hmm } from "../index.ts";
import { checkConfig, type Bug, type LabConfig } from "./config.ts";
import { Lab, type Program } from "./lab.ts";
import { formatOperation, parseOperation, type Agent } from "./operation.ts";

const DEFAULTS = checkConfig();
const LETTERS: Readonly<Record<Agent, string>> = { cpu: "c", device1: "d", device2: "e" };
const AGENTS = Object.fromEntries(Object.entries(LETTERS).map(([agent, letter]) => [letter, agent as Agent]));
const NUMBERS = ["pages", "devices", "frames", "limit"] as const;

/**
 * Writes who made the steps: "c3d7" is three steps of the CPU and seven of device 1. An "s" stands for an
 * operation that the state before it shows, a "g" for one that was given for the step after it.
 */
function writeOrder({ order, given = [] }: Program): string {
  const more = (i: number): number => (given[i] ?? 0) - (i > 0 ? given[i - 1] : 0);
  const steps = order.map((agent, i) => "g".repeat(more(i + 1)) + LETTERS[agent]);
  const runs = ("s".repeat(more(0)) + steps.join("")).match(/(.)\1*/g) ?? [];
  return runs.map((run) => `${run[0]}${run.length > 1 ? run.length : ""}`).join("");
}

/** Reads what {@link writeOrder} writes. Throws RangeError for anything else. */
function readOrder(text: string): Pick<Program, "order" | "given"> {
  if (!/^(s\d{0,3})?([cdeg]\d{0,3})*$/.test(text))
    throw badRange("parsePermalink", "order", "made of c, d, e and g, after s", text);
  const letters = [...text.matchAll(/([a-z])(\d*)/g)].flatMap(([, letter, times]) =>
    new Array<string>(Number(times || 1)).fill(letter),
  );
  const isGift = (letter: string): boolean => letter === "s" || letter === "g";
  const order = letters.filter((letter) => !isGift(letter)).map((letter) => AGENTS[letter]);
  if (!letters.some(isGift)) return { order };
  let count = letters.filter((letter) => letter === "s").length;
  const given = [count];
  for (const letter of letters)
    if (letter === "g") count++;
    else if (letter !== "s") given.push(count);
  return { order, given };
}

/** A program, and which of its steps is shown. */
export interface Link {
  readonly program: Program;
  readonly step: number;
}

/**
 * Writes a program and the shown step: `ops=w0-3,to0-3&order=gcgd7&step=5`, and the parts of the
 * configuration that are not the defaults. The same text makes the same state on every machine.
 */
export function formatPermalink({ program, step }: Link): string {
  const { config, operations } = program;
  const parts = NUMBERS.filter((name) => config[name] !== DEFAULTS[name]).map(
    (name) => `${name}=${config[name]}`,
  );
  if (config.bug !== DEFAULTS.bug) parts.push(`bug=${config.bug}`);
  parts.push(
    `ops=${operations.map(formatOperation).join(",")}`,
    `order=${writeOrder(program)}`,
    `step=${step}`,
  );
  return parts.join("&");
}

/**
 * Reads what {@link formatPermalink} writes; a leading `#` is allowed. Throws RangeError and TypeError that
 * name the part that is wrong.
 */
export function parsePermalink(text: string): Link {
  const op = "parsePermalink";
  const fields = new URLSearchParams(text.replace(/^#/, ""));
  const known = [...NUMBERS, "bug", "ops", "order", "step"];
  for (const name of fields.keys())
    if (!known.includes(name)) throw badRange(op, "text", `made of ${known.join(", ")}`, name);
  const config: Partial<LabConfig> = {};
  for (const name of NUMBERS) if (fields.has(name)) config[name] = Number(fields.get(name));
  if (fields.has("bug")) config.bug = fields.get("bug") as Bug;
  const full = checkConfig(config);
  const ops = (fields.get("ops") ?? "").split(",").filter((each) => each !== "");
  const operations = ops.map((each) => parseOperation(each, full));
  const order = readOrder(fields.get("order") ?? "");
  const step = Number(fields.get("step") ?? 0);
  if (!Number.isInteger(step) || step < 0)
    throw badRange(op, "step", "a number of a step", fields.get("step"));
  return { program: { config: full, operations, ...order }, step };
}

/** Makes the lab that a permalink names, with its step shown, or the last one if there are fewer. */
export function openPermalink(text: string, module?: Hmm["module"]): Lab {
  const { program, step } = parsePermalink(text);
  const lab = Lab.run(program, module);
  lab.goto(Math.min(step, lab.steps.length - 1));
  return lab;
}
