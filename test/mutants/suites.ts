/** The test files that are asked whether they notice a mutant, in order. */
import { readdirSync } from "node:fs";
import { join } from "node:path";

/**
 * The kinds in the order in which they are asked: first what finds most in the least time. The others come
 * last.
 */
const ORDER = [
  "golden/basic",
  "golden",
  "unit",
  "leak",
  "scenarios",
  "snapshot",
  "fuzz/fuzz",
  "fuzz/long",
  "explore",
  "cli",
  "errors",
  "text",
];

/** Not asked: they test the text of the sources, other parts of the project, or the tests themselves. */
const LEFT_OUT = [
  "tidy",
  "docs",
  "bench",
  "runner",
  "mutants",
  "tools",
  "text/bind",
  "golden/harness",
  "golden/command",
  "golden/every-record",
  "fuzz/command",
  "fuzz/coverage",
  "cli/args",
];

/** Returns the kind and the subject of a test file: `unit/swap` for `test/unit/space/swap.test.ts`. */
export function suiteName(file: string): string {
  return file.replace(/^test\/([^/]+)\/(?:.*\/)?([^/]+)\.test\.ts$/, "$1/$2");
}

/** Returns all test files that are asked, in order. */
export function testFiles(root: string): string[] {
  const files = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".test.ts"))
    .map((path) => `test/${path.replaceAll("\\", "/")}`)
    .filter((file) => !LEFT_OUT.some((left) => matches(file, left)));
  const rank = (file: string): number => {
    const at = ORDER.findIndex((part) => matches(file, part));
    return at < 0 ? ORDER.length : at;
  };
  return files.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** Whether `part` names the test file, as `unit/swap` does, or its kind, as `unit` does. */
function matches(file: string, part: string): boolean {
  const name = suiteName(file);
  return name === part || name.startsWith(`${part}/`);
}

/**
 * Returns the files with those that `ask` names first, or those alone if `only` is set and `ask` names any.
 * Throws if a name of `ask` matches no file.
 */
export function asked(files: readonly string[], ask: readonly string[] = [], only = false): string[] {
  const first = ask.flatMap((part) => {
    const found = files.filter((file) => matches(file, part));
    if (found.length === 0) throw new Error(`no test file ${part}`);
    return found;
  });
  return [...new Set(only && first.length > 0 ? first : [...first, ...files])];
}
