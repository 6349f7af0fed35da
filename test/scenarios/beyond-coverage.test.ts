/** Scenarios E01 to E80: each has one test, or one row in not-applicable.ts and in docs/linux.md. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LEFT_OUT, WITHOUT_TEST, type WithoutTest } from "./not-applicable.ts";

/** The last scenario, and the last row of docs/linux.md's first table of differences. */
const LAST = 80;
const LAST_ROW = 16;
const FOLDER = import.meta.dirname;

/** The numbers of the tests of a series, from the files' text: `scenario("E04 …`. */
function tested(series: "E" | "D", files: RegExp): number[] {
  const call = new RegExp(`^scenario\\(\\s*["'\`]${series}(\\d+) `, "gm");
  return readdirSync(FOLDER)
    .filter((name) => files.test(name))
    .flatMap((name) => [...readFileSync(join(FOLDER, name), "utf8").matchAll(call)])
    .map(([, number]) => Number(number));
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1);
const BEYOND = /^beyond-.*\.test\.ts$/;

const sorted = (numbers: number[]): number[] => [...numbers].sort((a, b) => a - b);

function row({ number, kind, reason }: WithoutTest): string {
  return `E${String(number).padStart(2, "0")} ${kind}: ${reason}`;
}

const readLinux = (): string => readFileSync(join(FOLDER, "../../docs/linux.md"), "utf8");

/** The rows of the table that follows a line of docs/linux.md. */
function documented(after: string): string[] {
  const text = readLinux();
  const at = text.indexOf(after);
  assert.ok(at >= 0, `docs/linux.md has "${after}"`);
  const lines = text.slice(at).split("\n");
  const first = lines.findIndex((line) => line.startsWith("|"));
  const end = lines.findIndex((line, i) => i > first && !line.startsWith("|"));
  return lines.slice(first + 2, end).map((line) => {
    const [, number, kind, reason] = line.split("|").map((cell) => cell.trim());
    return `${number} ${kind}: ${reason}`;
  });
}

const coverage = suite("beyond: coverage");

coverage("each number has a test or a row, and only one of them", () => {
  const numbers = sorted([...tested("E", BEYOND), ...WITHOUT_TEST.map(({ number }) => number)]);
  assert.equal(numbers, upTo(LAST));
});

coverage("what is left out of a test is left out of one that exists", () => {
  const numbers = tested("E", BEYOND);
  for (const { number } of LEFT_OUT) assert.ok(numbers.includes(number), `E${number}`);
});

coverage("docs/linux.md has the same rows", () => {
  assert.equal(documented("Without a test:"), WITHOUT_TEST.map(row));
  assert.equal(documented("Parts that the tests leave out:"), LEFT_OUT.map(row));
});

coverage("each row of the document's disagreements has a test", () => {
  assert.equal(sorted(tested("D", /^document.*\.test\.ts$/)), upTo(LAST_ROW));
  const rows = [...readLinux().matchAll(/^\| (D[\d, D]+) \|/gm)].flatMap(([, cell]) => cell.split(", "));
  assert.equal(
    rows,
    upTo(LAST_ROW).map((number) => `D${number}`),
  );
});

coverage.run();
