/** Lists the rows, runs them, and prints their results as a table. */
import { existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { compare } from "./harness.ts";
import type { Options, Result, Row } from "./harness.ts";
import { useAllProcessors, useOneProcessor } from "./processor.ts";

/**
 * The files of bench/rows by their row's number in the table. A twin in bench/native has its row's file name.
 */
const FILES: Readonly<Record<string, string>> = {
  P1: "range-snapshot",
  P2: "translate",
  P3: "migrate",
  P4: "populate",
  P5: "fork",
  P6: "mprotect-munmap",
  P7: "replay",
  P8: "mirrors",
  P9: "calls",
  P10: "growth",
  P11: "footprint",
  P12: "fault-back",
  P13: "device-faults",
  P14: "engine-snapshot",
  P15: "trace-text",
  P16: "browser",
  P17: "layer",
  P18: "fault-call",
  P19: "explore",
  P20: "checkpoint",
  P21: "small-engines",
  P22: "entry-size",
  P23: "huge-migration",
  S1: "replay-hits",
  S2: "demand-paging",
  S3: "thrashing",
  S4: "parallel-device",
  S5: "hmt-decode",
  S6: "simulated-memory",
  S7: "clock",
  S8: "sweep",
  S9: "generators",
};

/** The numbers of all rows, in the order of the table. */
export const ROWS: readonly string[] = Object.keys(FILES);

async function load(row: string): Promise<Row> {
  const file = new URL(`rows/${FILES[row]}.ts`, import.meta.url);
  const { default: loaded } = (await import(file.href)) as { default: Row };
  return loaded;
}

/** Runs one row. `print` receives the lines of its part of the table as they are ready. */
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

/** Formats a figure with three significant digits. */
const figure = (value: number | null): string =>
  value === null ? "–" : value >= 100 ? value.toFixed(0) : value.toPrecision(3);

function resultLine({ rival, ours, theirs, ratio, target, met, samples }: Result, smoke: boolean): string {
  const ratios = samples.theirs.map((ns, i) => samples.ours[i] / ns);
  const spread = ratios.length === 0 ? "" : `(${figure(Math.min(...ratios))}–${figure(Math.max(...ratios))})`;
  const verdict = met === null ? "skipped: cannot run here" : smoke ? "(smoke)" : met ? "yes" : "NO";
  return columns([rival, figure(ours), figure(theirs), figure(ratio), spread, figure(target), verdict]);
}

/** Describes this machine: "2-core AMD EPYC (AVX-512), Node 20.20.2". */
export function machine(): string {
  const processors = cpus();
  const info = existsSync("/proc/cpuinfo") ? readFileSync("/proc/cpuinfo", "utf8") : "";
  const simd = /\bavx512f\b/.test(info) ? " (AVX-512)" : /\bavx2\b/.test(info) ? " (AVX2)" : "";
  const model = processors[0]?.model.trim() ?? "unknown processor";
  return `${processors.length}-core ${model}${simd}, Node ${process.versions.node}`;
}
