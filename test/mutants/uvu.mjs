/** uvu with tests that end the process when they fail (first-failure.mjs). */
import { writeSync } from "node:fs";
import * as uvu from "uvu";

function guarded(suite, test, handler) {
  return async (state) => {
    try {
      await handler(state);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      writeSync(3, JSON.stringify({ suite, test, message }));
      process.exit(1);
    }
  };
}

export function suite(name, state) {
  const real = uvu.suite(name, state);
  const define = (test, handler) => real(test, guarded(name, test, handler));
  return Object.assign(define, real);
}
