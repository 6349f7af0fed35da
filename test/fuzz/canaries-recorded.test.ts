/** The reference model gives the answers that were recorded of real kernels: it may judge the engine. */
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { replayGolden } from "./model-golden.ts";

const test = suite("fuzz: the model and the records");

for (const [linux, records, count] of [
  ["6.12", "records", 340],
  ["7.3", "records-7.3/old", 91],
] as const) {
  test(`the model gives the recorded answers of ${linux}`, () => {
    const folder = join(import.meta.dirname, "../golden", records);
    const { scenarios, strict, detail } = replayGolden(folder, linux);
    assert.equal(strict, []);
    assert.equal(detail, []);
    assert.is(scenarios, count);
  });
}

test.run();
