/**
 * Runs the uvu suites of one file and writes { passed, failed, skipped, problems, seconds } as JSON to file
 * descriptor 3. tools/test.mjs starts it.
 */
import { readFileSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const file = process.argv[2];
const result = { passed: 0, failed: 0, skipped: 0, problems: [], seconds: 0 };

/**
 * Returns the processor time of this process and of those that it started and waited for, in seconds. Only
 * Linux tells the time of the latter.
 */
function processorSeconds() {
  const { user, system } = process.cpuUsage();
  const own = (user + system) / 1e6;
  if (process.platform !== "linux") return own;
  // The fields after the name, which may contain blanks: the 14th and 15th are cutime and cstime, in 1/100 s.
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ").at(-1).split(" ");
  return own + (Number(fields[13]) + Number(fields[14])) / 100;
}

/**
 * The suites that the file makes at its top level and does not run. A suite that is not run is not in uvu's
 * queue.
 */
function suitesNotRun(source) {
  const suites = [...source.matchAll(/^(?:export )?(?:const|let|var) (\w+)\s*=\s*suite\b/gm)].map(
    (match) => match[1],
  );
  if (/^import\s*{[^}]*\btest\b(?!\s+as)[^}]*}\s*from\s*["']uvu["']/m.test(source)) suites.push("test");
  return suites.filter((name) => !new RegExp(`\\b${name}\\.run\\(`).test(source));
}

// uvu puts the suites that are run() into the queue's first group, and leaves it to us to execute them.
globalThis.UVU_DEFER = 1;
globalThis.UVU_QUEUE = [[]];

try {
  await import(pathToFileURL(resolve(file)).href);
  for (const name of suitesNotRun(readFileSync(file, "utf8")))
    result.problems.push(`${name}.run() is missing`);
  let total = 0;
  for (const suite of globalThis.UVU_QUEUE[0]) {
    const [errors, ran, skipped, count] = await suite();
    if (typeof errors === "string") process.stdout.write(`\n${errors}\n`);
    // uvu drops the error of a before hook and reports no errors, but fewer tests than there are.
    else if (ran < count) process.stdout.write(`\n${count - ran} tests did not run: a hook threw\n`);
    total += count + skipped;
    result.passed += ran;
    result.failed += count - ran;
    result.skipped += skipped;
  }
  if (total === 0 && result.problems.length === 0) result.problems.push("no tests");
} catch (error) {
  console.error(error);
  result.problems.push("threw while it was loaded or run");
}

result.seconds = processorSeconds();
writeSync(3, JSON.stringify(result));
process.exit(result.failed + result.problems.length > 0 ? 1 : 0);
