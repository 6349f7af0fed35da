/** Failures as text: the difference, and the shortened sequence in the form that `--replay` reads. */
import { formatOp, parseOp, type Op, type Plan } from "./plan.ts";
import type { Failure } from "./replay.ts";

interface Saved {
  plan: Plan;
  ops: string[];
}

function show(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
  return text.length > 2000 ? `${text.slice(0, 2000)}… (${text.length} characters)` : text;
}

/** Describes a failure; `full` is the original, `short` the shortened one. */
export function describe(full: Failure, short: Failure): string {
  const saved: Saved = { plan: short.plan, ops: short.ops.map(formatOp) };
  const { seed, capacities } = full.plan;
  const what = capacities ? "the engine, short of memory, is wrong" : "model and engine differ";
  return [
    `seed ${seed}: ${what} after operation ${full.ops.length} (${formatOp(full.ops.at(-1)!)})`,
    `shortened to ${short.ops.length} operations:`,
    ...saved.ops.map((op) => `    ${op}`),
    `${short.field}:`,
    `    model  ${show(short.model)}`,
    `    engine ${show(short.engine)}`,
    "to replay it: npm run fuzz -- --replay FILE, where FILE has this line:",
    JSON.stringify(saved),
  ].join("\n");
}

/** Reads the output of {@link describe}: its last line or the whole text. */
export function parseSaved(text: string): { plan: Plan; ops: Op[] } {
  const line = text.split("\n").find((candidate) => candidate.startsWith('{"plan":'));
  if (line === undefined) throw new Error('no line that begins with {"plan":');
  const { plan, ops } = JSON.parse(line) as Saved;
  return { plan, ops: ops.map(parseOp) };
}
