/** Chromium for tests of pages, by playwright-core. The environment variable CHROMIUM names another one. */
import { spawnSync } from "node:child_process";
import { chromium as playwright, type Browser } from "playwright-core";
import type { suite } from "uvu";
import { chromium, FLAGS } from "../../bench/chromium.ts";

const command = chromium();

/** Whether there is a browser. */
export const hasBrowser = command !== null;

/** Starts the browser, with more of its options, which the caller closes. */
export function launch(options: readonly string[] = []): Promise<Browser> {
  // playwright takes a path.
  const path = spawnSync("sh", ["-c", `command -v "${command}"`], { encoding: "utf8" }).stdout.trim();
  return playwright.launch({ executablePath: path, args: [...FLAGS.slice(1), ...options] });
}

/** Returns what defines tests of a suite: where there is no browser, they are skipped, with one line. */
export function inBrowser(tests: ReturnType<typeof suite>): typeof tests.skip {
  if (command !== null) return tests;
  console.log("no browser: set CHROMIUM to look at pages");
  return (...args) => tests.skip(...args);
}
