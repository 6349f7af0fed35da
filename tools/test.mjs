/**
 * Runs uvu test files: `node tools/test.mjs [--root test] [filter …]`.
 *
 * Runs every **\/*.test.ts under the root whose path contains one of the filters, or without a filter every
 * file but those of APART. The slash of a filter also stands for the folders in between: `unit/swap` selects
 * test/unit/space/swap.test.ts. Each file runs in a process of its own, as many at a time as there are
 * processors.
 *
 * uvu alone reports some failures as success. Here each of these is a failure: no file is found; a file has
 * no test; a suite is not run(); a before hook throws; a file ends before its tests do; with CI=true, a test
 * is skipped.
 *
 * Before the last line comes one that names the files which took more than three seconds of processor time,
 * too long for the inner loop. It is left out if the machine was busy with something else, which makes every
 * file slower. The last line is `N passed, N failed`, with `, N skipped` if any were.
 */
import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { runFile } from "./run-test-file.mjs";

/** Processor time above which a file is named. */
const LONG_SECONDS = 3;
/**
 * The share of the run's time, on as many processors as files run at a time, that the files must have had for
 * the machine to count as quiet. Some files wait for browsers and timers.
 */
const QUIET_SHARE = 0.7;
/**
 * What only runs if a filter selects it: tests of the tests, as `npm run canaries` does; a long run of the
 * fuzzer, as `npm run test:fuzz` does; the site's pages, as `npm run test:site` does; sweeps through Redis,
 * as `npm run test:queue` does; ten thousand jobs, as `npm run test:many` does; a Slurm, as `npm run
 * test:slurm` does; and every record, as `npm run test:browser` does.
 */
const APART = [
  ...["canaries", "canaries-newer", "canaries-recorded", "long"].map((name) =>
    join("test", "fuzz", `${name}.test.ts`),
  ),
  join("test", "cluster", "slurm.test.ts"),
  ...["many", "queue"].map((name) => join("test", "queue", `${name}.test.ts`)),
  join("test", "golden", "every-record.test.ts"),
  ...["docs", "formats", "frames", "lab", "offline", "pages", "quality", "simulator"].map((name) =>
    join("test", "site", `${name}.test.ts`),
  ),
];
/** Files that the runner's own test runs; they fail on purpose. */
const FIXTURES = join("test", "runner", "fixtures");

function collect(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return path === FIXTURES ? [] : collect(path);
      return entry.name.endsWith(".test.ts") ? [path] : [];
    });
}

/** What a filter selects: a part of a path, in which a slash also stands for the folders in between. */
function patternOf(filter) {
  const parts = filter.split("/").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(parts.join("/(?:.*/)?"));
}

function countsOf({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

function print(file, { passed, failed, skipped, problems, output }, seconds) {
  const bad = failed > 0 || problems.length > 0;
  const counts = countsOf({ passed, failed, skipped });
  console.log(`${bad ? "FAIL" : "ok  "} ${file}: ${counts} (${seconds.toFixed(1)} s)`);
  if (bad) console.log(output.trimEnd().replace(/^/gm, "     "));
  for (const problem of problems) console.log(`     ${file}: ${problem}`);
}

/**
 * Says in one line which files took long, the longest first, with their seconds of processor time. A machine
 * that gave the files too small a share of its processors was busy, and says nothing about them.
 */
function printLong(times, share) {
  const long = [...times].filter(([, seconds]) => seconds > LONG_SECONDS).sort(([, a], [, b]) => b - a);
  if (long.length === 0 || share < QUIET_SHARE) return;
  const files = long.map(([file, seconds]) => `${file} (${seconds.toFixed(1)} s)`).join(", ");
  console.log(`\nmore than ${LONG_SECONDS} s of processor time: ${files}`);
}

async function main(args) {
  const at = args.indexOf("--root");
  const [root] = at < 0 ? ["test"] : args.splice(at, 2).slice(1);
  const filters = args.map(patternOf);
  const files = collect(root).filter((file) =>
    filters.length === 0 ? !APART.includes(file) : filters.some((filter) => filter.test(file)),
  );
  const total = { passed: 0, failed: 0, skipped: 0 };
  if (files.length === 0) {
    console.log(`no test file under ${root}${args.length > 0 ? ` matches ${args.join(" or ")}` : ""}`);
    total.failed = 1;
  }
  const times = new Map();
  const waiting = [...files];
  const worker = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const start = performance.now();
      const result = await runFile(file);
      if (result.skipped > 0 && process.env.CI === "true") result.problems.push("skips tests, and CI=true");
      print(file, result, (performance.now() - start) / 1000);
      times.set(file, result.seconds);
      total.passed += result.passed;
      total.failed += result.failed + result.problems.length;
      total.skipped += result.skipped;
    }
  };
  const workers = Math.min(availableParallelism(), files.length);
  const begin = performance.now();
  await Promise.all(Array.from({ length: workers }, worker));
  const used = [...times.values()].reduce((sum, seconds) => sum + seconds, 0);
  printLong(times, used / (workers * ((performance.now() - begin) / 1000)));
  console.log(`\n${countsOf(total)}`);
  process.exitCode = total.failed > 0 ? 1 : 0;
}

await main(process.argv.slice(2));
