/** Reads README.md's table of what the fuzzer drives. */
import { readFileSync } from "node:fs";

export interface CoverageRow {
  /** Operations of the fuzzer, or words of ALL_ALONG. */
  drivenBy: string[];
  /** Why nothing drives it; empty if something does. */
  why: string;
}

/** Not operations, but what every run does: making its world, looking at all state after each operation, ending. */
export const ALL_ALONG = new Set(["start", "state", "end", "driver", "fail"]);

/** By the key that test/errors/surface.ts gives each callable of the API. */
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
