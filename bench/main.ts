/**
 * npm run bench -- [--only P3] [--json FILE] [--smoke] [--pairs N]
 *
 *   --only   one row or several: P3 or P1,P3
 *   --json   also write the results to FILE
 *   --smoke  tiny sizes: check that every bench runs and that both sides compute the same
 *   --pairs  pairs measured for each rival (default 7; fewer than 5 say little)
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Options, Result } from "./harness.ts";
import { compilerVersion } from "./native.ts";
import { processor } from "./processor.ts";
import { ROWS, machine, runRow, tableHead } from "./rows.ts";

const DEFAULT_PAIRS = 7;

interface Command {
  readonly rows: readonly string[];
  readonly options: Options;
  readonly json: string | undefined;
}

function parse(args: string[]): Command {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string" },
      json: { type: "string" },
      smoke: { type: "boolean", default: false },
      pairs: { type: "string" },
    },
  });
  const rows = values.only?.toUpperCase().split(",") ?? ROWS;
  const unknown = rows.find((row) => !ROWS.includes(row));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: no such row; expected ${ROWS.join(", ")}`);
  const pairs = Number(values.pairs ?? (values.smoke ? 1 : DEFAULT_PAIRS));
  if (!Number.isInteger(pairs) || pairs < 1)
    throw new Error(`--pairs ${values.pairs}: expected a positive integer`);
  return { rows, options: { pairs, smoke: values.smoke }, json: values.json };
}

async function main(): Promise<void> {
  const { rows, options, json } = parse(process.argv.slice(2));
  const results: Result[] = [];
  console.log(
    `${machine()}; ${compilerVersion() ?? "no C compiler: comparisons with C programs are skipped"}`,
  );
  console.log(
    processor === null
      ? "no taskset: the two sides of a row may run on different processors, which widens the spread"
      : `both sides of a row run on processor ${processor}; rows with several threads (P15, P16) on all`,
  );
  console.log(tableHead);
  for (const row of rows) results.push(...(await runRow(row, options, (line) => console.log(line))));
  if (json !== undefined)
    writeFileSync(json, `${JSON.stringify({ machine: machine(), rows: results }, null, 2)}\n`);
}

main().catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
