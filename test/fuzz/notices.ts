/** Tests that the fuzzer notices a broken model and shortens the failure. */
import type { Test } from "uvu";
import * as assert from "uvu/assert";
import { Hmm, type LinuxVersion } from "../../src/index.ts";
import type { Broken } from "./broken.ts";
import { runOps, runSeed, type Failure } from "./replay.ts";
import { describe, parseSaved } from "./report.ts";
import { shrink } from "./shrink.ts";

/** Runs within which a broken model must fail. */
const CANARY_RUNS = 130;
/** Length limit of a shortened sequence. Failures that need full memory take some operations to fill it. */
const CANARY_OPS = 20;

const { module } = Hmm.createSync({ systemMemory: 4096, deviceMemory: 0 });

/** Returns the first failure from seed 1, of runs with one kernel's rules or with both. */
function firstFailure(linux?: LinuxVersion): Failure | null {
  for (let seed = 1; seed <= CANARY_RUNS; seed++) {
    const { failure } = runSeed(seed, module, false, linux);
    if (failure) return failure;
  }
  return null;
}

/** Adds a test for each broken model, in runs with one kernel's rules or with both. */
export function notices(
  test: Test,
  canaries: readonly [name: string, withBrokenModel: Broken][],
  linux?: LinuxVersion,
): void {
  for (const [name, withBrokenModel] of canaries)
    test(`a model in which ${name} is noticed`, () => {
      let text = "";
      withBrokenModel(() => {
        const failure = firstFailure(linux);
        assert.ok(failure, `no difference in ${CANARY_RUNS} runs`);
        const short = shrink(failure, module);
        assert.ok(
          short.ops.length <= CANARY_OPS,
          `${short.ops.length} operations are left:\n${describe(failure, short)}`,
        );
        text = describe(failure, short);
        const { plan, ops } = parseSaved(text);
        assert.ok(
          runOps(plan, ops, module).failure,
          "the shortened sequence does not fail when it is replayed",
        );
      });
      const { plan, ops } = parseSaved(text);
      assert.is(runOps(plan, ops, module).failure, null, "it fails with the right model, too");
    });
}
