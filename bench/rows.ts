/** Finds the rows (bench/pN.ts), runs them, and lays their results out as a table. */
import { existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { compare } from "./harness.ts";
import type { Options, Result, Row } from "./harness.ts";
import { useAllProcessors, useOneProcessor } from "./processor.ts";

/** The rows that the project promises. */
export const ROWS: readonly string[] = Array.from({ length: 16 }, (_, i) => `P${i + 1}`);

const fileOf = (row: string): URL => new URL(`${row.toLowerCase()}.ts`, import.meta.url);

/** Is there a file that measures this row? */
export const built = (row: string): boolean => existsSync(fileURLToPath(fileOf(row)));

export async function load(row: string): Promise<Row> {
  const { default: loaded } = (await import(fileOf(row).href)) as { default: Row };
  return loaded;
}

/** Runs one row; `print` gets its lines of the table as they come. */
export async function runRow(
  name: string,
  options: Options,
  print: (line: string) => void,
): Promise<Result[]> {
  const row = await load(name);
  const notes: string[] = [];
  if (row.threads === true) useAllProcessors();
  else useOneProcessor();
  print(`${name}  ${row.title}; ns a ${row.unit}`);
  const printResult = (result: Result): void => print(resultLine(result, options.smoke));
  const results = await row.run({
    ...options,
    note: (text) => void notes.push(text),
    print: printResult,
    compare: async (spec) => {
      const found = await compare(name, spec, options);
      found.forEach(printResult);
      return found;
    },
  });
  for (const note of notes) print(`    ${note}`);
  return results;
}

const WIDTHS = [30, 10, 10, 8, 15, 8, 4] as const;

function columns(cells: readonly string[]): string {
  const padded = cells.map((cell, i) => (i === 0 ? cell.padEnd(WIDTHS[0]) : cell.padStart(WIDTHS[i])));
  return `    ${padded.join(" ")}`.trimEnd();
}

export const tableHead = columns(["rival", "ours", "theirs", "ratio", "(min–max)", "target", "met"]);

/** Three digits that matter. */
const figure = (value: number | null): string =>
  value === null ? "–" : value >= 100 ? value.toFixed(0) : value.toPrecision(3);

function resultLine({ rival, ours, theirs, ratio, target, met, samples }: Result, smoke: boolean): string {
  const ratios = samples.theirs.map((ns, i) => samples.ours[i] / ns);
  const spread = ratios.length === 0 ? "" : `(${figure(Math.min(...ratios))}–${figure(Math.max(...ratios))})`;
  const verdict = met === null ? "skipped: it cannot run here" : smoke ? "(smoke)" : met ? "yes" : "NO";
  return columns([rival, figure(ours), figure(theirs), figure(ratio), spread, figure(target), verdict]);
}

/** "2-core AMD EPYC (AVX-512), Node 20.20.2" */
export function machine(): string {
  const processors = cpus();
  const info = existsSync("/proc/cpuinfo") ? readFileSync("/proc/cpuinfo", "utf8") : "";
  const simd = /\bavx512f\b/.test(info) ? " (AVX-512)" : /\bavx2\b/.test(info) ? " (AVX2)" : "";
  const model = processors[0]?.model.trim() ?? "unknown processor";
  return `${processors.length}-core ${model}${simd}, Node ${process.versions.node}`;
}
