/**
 * Every recorded scenario, a test for each file of records: what `npm run golden` replays, as a suite that
 * also runs in a browser (`npm run test:browser`). It takes a minute and a half.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadAll } from "./records.ts";
import { replayScenario } from "./replay.ts";
import { makeEngineWorld } from "./world.ts";

const test = suite("golden: every record");
const scenarios = loadAll();
/** What README.md says is compared. */
const SCENARIOS = 810;
const OPERATIONS = 17_936;

let operations = 0;
for (const file of new Set(scenarios.map((scenario) => scenario.file)))
  test(file, () => {
    for (const scenario of scenarios.filter((each) => each.file === file)) {
      const result = replayScenario(scenario, makeEngineWorld);
      operations += result.operations;
      const [first] = result.mismatches;
      const where = `${scenario.name} #${first?.index} ${first?.op} ${first?.field}`;
      assert.is(result.mismatches.length, 0, where);
    }
  });
test("the files have as many scenarios and operations as README.md says", () => {
  assert.equal([scenarios.length, operations], [SCENARIOS, OPERATIONS]);
});
test.run();
