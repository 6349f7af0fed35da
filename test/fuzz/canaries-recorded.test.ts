/**
 * The reference model gives the answers that were recorded of real kernels: it may judge the engine. Of
 * 7.3's own records every fourth scenario is replayed here; model-golden.ts replays them all.
 */
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { replayGolden } from "./model-golden.ts";

const test = suite("fuzz: the model and the records");

const RECORDS = [
  { linux: "6.12", folder: "records", every: 1, count: 340 },
  { linux: "7.3", folder: "records-7.3/old", every: 1, count: 91 },
  { linux: "7.3", folder: "records-7.3", every: 4, count: 95 },
] as const;

for (const { linux, folder, every, count } of RECORDS) {
  test(`the model gives the recorded answers of ${linux}: ${folder}`, () => {
    let seen = 0;
    const chosen = (): boolean => seen++ % every === 0;
    const { scenarios, strict, detail } = replayGolden(
      join(import.meta.dirname, "../golden", folder),
      linux,
      chosen,
    );
    assert.equal(strict, []);
    assert.equal(detail, []);
    assert.is(scenarios, count);
  });
}

test.run();
