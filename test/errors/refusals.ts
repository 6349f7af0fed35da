/**
 * Every public call refuses every kind of wrong argument with an error that names the argument, the value
 * and what was expected, and leaves the engine unchanged.
 */
import { suite } from "uvu";
import { assertNone, Refusals } from "./refuse.ts";
import type { Table } from "./row.ts";
import { surfaceOf } from "./surface.ts";
import { builds } from "../util/builds.ts";

/** Tests the rows of a table on each build. Rows of calls that do not exist fail in every-call.test.ts. */
export async function refusals(table: Table): Promise<void> {
  const surface = await surfaceOf();
  for (const [build, module] of builds) {
    const test = suite(`errors, ${build}`);
    for (const callable of surface.filter(({ key }) => key in table)) {
      test(callable.key, async () => {
        const calls = new Refusals(callable, table[callable.key], module);
        await calls.run();
        assertNone(calls.problems);
      });
    }
    test.run();
  }
}
