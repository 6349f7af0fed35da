/**
 * Runs the engine's own suites in Chromium and in Node, and compares the counts of each file:
 *
 *   npm run test:browser -- [FILTER …]
 *
 * FILTER is a part of a path; without one, all of test/unit, test/scenarios and test/golden run, with every
 * recorded scenario. A file runs in a worker of the page that ends with it, so its engines leave nothing
 * behind. The last line is `N passed, N failed`, as tools/test.mjs has it; N counts the browser's tests.
 */
import { readFileSync, readdirSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { availableParallelism } from "node:os";
import { join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { FILE_SECONDS_MAX, runFile as runInNode } from "../../tools/run-test-file.mjs";
import { list } from "../tidy/sources.ts";
import { hasBrowser, launch } from "../util/browser.ts";
import { bundleTests, type Bundle } from "./bundle.ts";
import type {} from "./page.ts";
import type { FileResult } from "./worker.ts";

process.chdir(fileURLToPath(new URL("../..", import.meta.url)));

const FOLDERS = ["test/unit", "test/scenarios", "test/golden"];
/** What is started first, because it takes longest. */
const LONGEST = ["test/golden/every-record.test.ts"];

/** Files that run in Node alone, and why. */
const NODE_ONLY: Readonly<Record<string, string>> = {
  "test/golden/command.test.ts": "starts the command as a process",
  "test/unit/engine/inspect.test.ts": "looks at objects by node:util",
  "test/unit/engine/wasm-source.test.ts": "serves the core by node:http",
  "test/unit/lab/typescript.test.ts": "runs what the lab copies as programs of Node",
  "test/unit/sim/worker.test.ts": "starts a browser itself",
  "test/unit/sweep/merge.test.ts": "writes results to a disk",
  "test/unit/sweep/queue-jobs.test.ts": "tests the worker of a queue, which is a program of Node",
};

/** These headers isolate the page, which gives it a clock with a resolution of 5 µs. */
const ISOLATED = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};
const PAGE = '<!doctype html><title>Tests</title><script type="module" src="page.js"></script>';

/** Serves the page with its scripts, and the repository's files below /files. */
async function serve({ page, tests }: Bundle): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const reply = (type: string, body: string | Buffer, more = {}): void =>
      void response.writeHead(200, { ...ISOLATED, "Content-Type": type, ...more }).end(body);
    if (pathname === "/") return reply("text/html", PAGE);
    if (pathname === "/page.js") return reply("text/javascript", page);
    if (pathname === "/tests.js") return reply("text/javascript", tests);
    const path = join(".", normalize(decodeURIComponent(pathname)).replace(/^\/files/, ""));
    const status = statSync(path, { throwIfNoEntry: false });
    if (status === undefined) response.writeHead(404).end();
    else if (status.isDirectory())
      reply("application/json", JSON.stringify(readdirSync(path)), { "X-Folder": "1" });
    else reply("application/octet-stream", readFileSync(path));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

const countsOf = ({ passed, failed, skipped }: Omit<FileResult, "output">): string =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;

/** Runs all files, as many at a time as there are processors. Returns the counts of the browser. */
async function runAll(page: Page, files: readonly string[]): Promise<{ passed: number; failed: number }> {
  const total = { passed: 0, failed: 0 };
  const waiting = [...files];
  const lane = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const start = performance.now();
      const inPage = await page.evaluate(([name, seconds]) => runFile(name, seconds), [
        file,
        FILE_SECONDS_MAX,
      ] as const);
      const middle = performance.now();
      const inNode = await runInNode(file);
      const [first, second] = [middle - start, performance.now() - middle].map((ms) =>
        (ms / 1000).toFixed(1),
      );
      const isEqual = countsOf(inPage) === countsOf(inNode);
      const isGood = isEqual && inPage.failed === 0;
      console.log(`${isGood ? "ok  " : "FAIL"} ${file}: ${countsOf(inPage)} (${first} s, Node ${second} s)`);
      if (!isEqual) console.log(`     Node: ${countsOf(inNode)}`);
      if (!isGood) console.log(inPage.output.trimEnd().replace(/^/gm, "     "));
      total.passed += inPage.passed;
      total.failed += inPage.failed + (isEqual ? 0 : 1);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
  return total;
}

async function main(filters: readonly string[]): Promise<void> {
  if (!hasBrowser) {
    console.log("no browser: set CHROMIUM to run the suites in it");
    process.exitCode = process.env.CI === "true" ? 1 : 0;
    return;
  }
  const rank = (file: string): number => (LONGEST.includes(file) ? LONGEST.indexOf(file) : LONGEST.length);
  const chosen = FOLDERS.flatMap((folder) => list(folder))
    .filter((file) => file.endsWith(".test.ts"))
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
    .sort((a, b) => rank(a) - rank(b));
  const files = chosen.filter((file) => !(file in NODE_ONLY));
  const { server, url } = await serve(await bundleTests(files));
  const browser = await launch(["--js-flags=--expose-gc"]);
  try {
    const page = await browser.newPage();
    await page.goto(url);
    const total = await runAll(page, files);
    for (const file of chosen) if (file in NODE_ONLY) console.log(`node ${file}: ${NODE_ONLY[file]}`);
    if (files.length === 0) total.failed++;
    console.log(`\n${total.passed} passed, ${total.failed} failed`);
    process.exitCode = total.failed > 0 ? 1 : 0;
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
}

await main(process.argv.slice(2));
