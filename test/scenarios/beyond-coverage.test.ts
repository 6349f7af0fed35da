/**
 * Each kernel test and each scenario E01 to E80 has a test, or one row in not-applicable.ts and in
 * docs/linux.md.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MM_RSS_ANON } from "../../assembly/abi/object.ts";
import { RESOURCE_MM } from "../../assembly/abi/pool.ts";
import { contextOf } from "../../src/engine/context.ts";
import { PAGE_SIZE } from "../../src/index.ts";
import { builds } from "../util/builds.ts";
import { errorOf, makeHmm } from "../util/driver.ts";
import { checkEachStep, filled } from "./beyond.ts";
import {
  KERNEL_TESTS,
  KERNEL_TESTS_WITHOUT_TEST,
  LEFT_OUT,
  WITHOUT_TEST,
  type WithoutTest,
} from "./not-applicable.ts";

const LAST = 80;
const LAST_PROMISE = 16;
const FOLDER = import.meta.dirname;

/** Returns the numbers of a series' tests, read from the text of the files: `scenario("E04 …`. */
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

/** Returns the rows of the table that follows a line of docs/linux.md. */
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

coverage("each kernel test has a test here or a row, and no other test has a kernel test's name", () => {
  const files = readdirSync(FOLDER).filter((name) => /^hmm-tests.*\.ts$/.test(name));
  const text = files.map((name) => readFileSync(join(FOLDER, name), "utf8")).join("\n");
  const calls = /(?:scenario|add|test)\(\s*["`](\w+)|const name = `(\w+)/g;
  const names = new Set([...text.matchAll(calls)].map(([, direct, named]) => direct ?? named));
  const without = KERNEL_TESTS_WITHOUT_TEST.map(({ name }) => name);
  assert.equal([...names, ...without].sort(), [...KERNEL_TESTS].sort());
});

coverage("what is left out of a test is left out of one that exists", () => {
  const numbers = tested("E", BEYOND);
  for (const { number } of LEFT_OUT) assert.ok(numbers.includes(number), `E${number}`);
});

coverage("docs/linux.md has the same rows", () => {
  assert.equal(
    documented("The kernel's own tests without one here:"),
    KERNEL_TESTS_WITHOUT_TEST.map(({ name, kind, reason }) => `${name} ${kind}: ${reason}`),
  );
  assert.equal(documented("Without a test:"), WITHOUT_TEST.map(row));
  assert.equal(documented("Parts that the tests leave out:"), LEFT_OUT.map(row));
});

coverage("the document's promises D1 to D16 have a test each; docs/linux.md names no others", () => {
  const numbers = tested("D", /^document.*\.test\.ts$/);
  assert.equal(sorted(numbers), upTo(LAST_PROMISE));
  const cells = [...readLinux().matchAll(/^\| (D\d+(?:, D\d+)*) \|/gm)].map(([, cell]) => cell);
  const rows = cells.flatMap((cell) => cell.split(", ")).map((name) => Number(name.slice(1)));
  assert.ok(rows.length > 0);
  assert.equal(rows, [...new Set(rows)]);
  for (const row of rows) assert.ok(numbers.includes(row), `D${row}`);
});

coverage("a sum that is wrong is seen at the end of the call that made it wrong", () => {
  const [[, module]] = builds;
  const hmm = makeHmm(module);
  checkEachStep(hmm);
  const mm = hmm.createMm();
  const addr = filled(mm, 2);
  const { mem } = contextOf("test", hmm);
  const anon = mem.objectAddress(RESOURCE_MM, mm.id) + MM_RSS_ANON;
  mem.setU32(anon, mem.u32(anon) - 1);
  assert.match(errorOf(() => mm.munmap(addr, PAGE_SIZE))!.message, /^rss of mm/);
  mem.setU32(anon, mem.u32(anon) + 1);
  mm.munmap(addr + PAGE_SIZE, PAGE_SIZE);
});

coverage.run();
