/**
 * Breaks the engine in many ways, one at a time, and finds the test that notices. See docs/testing.md.
 *
 *   npm run mutants -- [--only NAME] [--quick] [--list] [--help]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CleanError, Judge, type Verdict } from "./judge.ts";
import type { Mutant } from "./mutant.ts";
import { MUTANTS } from "./table.ts";
import { Tree } from "./tree.ts";

const HELP = `Breaks the engine in named ways, one at a time, in copies of the project, and finds
the test that notices.

  npm run mutants -- [options]

  --only NAME   only the mutant NAME, or else the mutants whose name contains NAME (repeatable)
  --quick       ask only the test files that a mutant names, if it names any
  --list        only list the mutants
  --help        print this text

A test file counts only if it passes without a mutant, which is checked before it is first asked. A mutant
that no test notices is a failure, and so is a mutant whose text is no longer in the code. Wrong usage: exit
status 2.`;

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const NAME_WIDTH = Math.max(...MUTANTS.map(({ name }) => name.length));
const MESSAGE_MAX = 110;

class UsageError extends Error {}

interface Options {
  mutants: readonly Mutant[];
  quick: boolean;
  list: boolean;
  help: boolean;
}

function parseOptions(args: string[]): Options {
  const flag = { type: "boolean", default: false } as const;
  let values;
  try {
    const only = { type: "string", multiple: true } as const;
    ({ values } = parseArgs({ args, options: { only, quick: flag, list: flag, help: flag } }));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const { only, ...flags } = values;
  if (only === undefined) return { mutants: MUTANTS, ...flags };
  const chosen = MUTANTS.filter(({ name }) => only.some((part) => name.includes(part)));
  const exact = MUTANTS.filter(({ name }) => only.includes(name));
  if (chosen.length === 0) throw new UsageError(`no mutant is named so: ${only.join(", ")}; see --list`);
  return { mutants: exact.length > 0 ? exact : chosen, ...flags };
}

/** Runs `work` on every item, one item at a time in each tree. */
async function onTrees<T>(
  trees: Tree[],
  items: readonly T[],
  work: (tree: Tree, item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  await Promise.all(
    trees.map(async (tree) => {
      for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(tree, item);
    }),
  );
}

function oneLine(text: string): string {
  const line = text.trim().replace(/\s+/g, " ");
  return line.length > MESSAGE_MAX ? `${line.slice(0, MESSAGE_MAX)}…` : line;
}

function describe({ mutant, caughtBy, failure, problem, asked, seconds }: Verdict): string {
  const time = `${seconds.toFixed(1)} s`.padStart(7);
  const name = mutant.name.padEnd(NAME_WIDTH);
  if (problem !== undefined) return `FAIL ${name} ${time}  ${oneLine(problem)}`;
  if (caughtBy === undefined || failure === undefined)
    return `FAIL ${name} ${time}  survives: ${asked} test files do not notice it`;
  const verified = failure.message.includes("EINVARIANT") ? ", verify()" : "";
  return `ok   ${name} ${time}  ${caughtBy}${verified}: ${failure.test}: ${oneLine(failure.message)}`;
}

/** Returns the number of mutants that each kind of test caught: "golden 20, unit 12". */
function bySuite(verdicts: readonly Verdict[]): string {
  const counts = new Map<string, number>();
  for (const { caughtBy } of verdicts) {
    const suite = caughtBy?.split("/")[0];
    if (suite !== undefined) counts.set(suite, (counts.get(suite) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.map(([suite, n]) => `${suite} ${n}`).join(", ");
}

/** Makes copies of the project with the unmutated core in a scratch folder, which is removed at exit. */
async function makeTrees(count: number): Promise<Tree[]> {
  const scratch = mkdtempSync(join(tmpdir(), "heteromem-mutants-"));
  const trees: Tree[] = [];
  process.on("exit", () => {
    for (const tree of trees) tree.stop();
    rmSync(scratch, { recursive: true, force: true });
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
  for (let i = 0; i < count; i++) trees.push(new Tree(ROOT, join(scratch, `tree${i}`)));
  await trees[0].build("assembly/core/index.ts");
  for (const tree of trees.slice(1)) tree.core = trees[0].core;
  return trees;
}

/** Judges the mutants. Returns the number that survive. */
async function run(mutants: readonly Mutant[], quick: boolean): Promise<number> {
  const start = performance.now();
  const elapsed = (): string => `${((performance.now() - start) / 1000).toFixed(0)} s`;
  const judge = new Judge(ROOT, { quick });
  const trees = await makeTrees(Math.min(availableParallelism(), mutants.length));
  const verdicts: Verdict[] = [];
  try {
    await onTrees(trees, mutants, async (tree, mutant) => {
      const verdict = await judge.judge(tree, mutant);
      verdicts.push(verdict);
      console.log(`${`${verdicts.length}`.padStart(3)}/${mutants.length} ${describe(verdict)}`);
    });
  } finally {
    for (const tree of trees) tree.stop(); // their compilers would keep this process alive
  }
  const caught = verdicts.filter(({ caughtBy }) => caughtBy !== undefined);
  console.log(`\nmutants: caught by ${bySuite(caught)}; ${elapsed()}`);
  console.log(`${caught.length} passed, ${verdicts.length - caught.length} failed`);
  return verdicts.length - caught.length;
}

async function main(): Promise<number> {
  const { mutants, quick, list, help } = parseOptions(process.argv.slice(2));
  if (help) console.log(HELP);
  if (list) for (const { name, file } of mutants) console.log(`${name.padEnd(NAME_WIDTH)}  ${file}`);
  if (help || list) return 0;
  return (await run(mutants, quick)) > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError) && !(error instanceof CleanError)) throw error;
  console.error(`mutants: ${error.message}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
