/** Reads README.md's table of the calls that the fuzzer drives. */
import { readFileSync } from "node:fs";

export interface CoverageRow {
  /** Operations of the fuzzer or words of ALL_ALONG. */
  drivenBy: string[];
  /** Why no operation drives the call; empty if one does. */
  why: string;
}

/**
 * Phases of every run that are no operations: making the world, reading all state after each operation,
 * ending.
 */
export const ALL_ALONG = new Set(["start", "state", "end", "driver", "fail"]);

/** The table by the key that test/errors/surface.ts gives each public call. */
export function readCoverage(): Map<string, CoverageRow> {
  const text = readFileSync(new URL("README.md", import.meta.url), "utf8");
  const rows = new Map<string, CoverageRow>();
  for (const line of text.split("\n")) {
    const cells = /^\| (`[^|]*`) +\| (.*?) +\|$/.exec(line);
    if (!cells) continue;
    const words = [...cells[2].matchAll(/`([a-z]+)`/g)].map(([, word]) => word);
    for (const [, key] of cells[1].matchAll(/`([^`]+)`/g)) {
      if (rows.has(key)) throw new Error(`${key} stands there twice`);
      rows.set(
        key,
        cells[2].startsWith("not: ") ? { drivenBy: [], why: cells[2] } : { drivenBy: words, why: "" },
      );
    }
  }
  return rows;
}
