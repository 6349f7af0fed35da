/** Tests that `heteromem run` refuses wrong usage and bad input in one line on stderr, with exit code 2. */
import type { Test } from "uvu";
import * as assert from "uvu/assert";
import { run } from "./command.ts";

/** Name, arguments, and the one line on stderr. */
type Wrong = [what: string, args: () => string[], says: string | RegExp];

/** Every second call asks for JSON: the error is the same. */
export function refuses(test: Test, wrong: readonly Wrong[]): void {
  wrong.forEach(([what, args, says], i) => {
    const flags = i % 2 === 0 ? [] : ["--json"];
    test(`${what} is one line on stderr`, () => {
      const { status, stdout, stderr } = run(...args(), ...flags);
      assert.is(status, 2, stderr);
      assert.is(stdout, "");
      assert.is(stderr.split("\n").length, 2, stderr);
      assert.match(stderr.trimEnd(), says);
      assert.ok(stderr.startsWith("heteromem: "), stderr);
    });
  });
}
