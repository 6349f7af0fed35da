/** Races: every order of two agents' steps, and the replay of one that fails. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findRace } from "../../../src/lab/race.ts";
import { openScenario } from "../../../src/lab/scenarios.ts";

const race = suite("lab: races");

for (const name of ["race", "race-migration"]) {
  race(`${name}: a correct driver survives every order`, () => {
    const { order, complete, schedules } = findRace(openScenario(name).program);
    assert.is(order, null);
    assert.ok(complete);
    assert.ok(schedules > 1);
  });
}

// The step that breaks the invariant: the map of a page that is gone, or the change that the device missed.
for (const [name, last] of [
  ["race-no-retry", "map"],
  ["race-no-lock", "map"],
  ["race-late-invalidate", "access"],
] as const) {
  race(`${name}: the failing order is found, and fails at its last step alone`, () => {
    const lab = openScenario(name);
    const { order, failure } = findRace(lab.program);
    assert.match(failure, /EINVARIANT: mm 1: at 0x7f0000000000 the device has page/);
    for (const agent of order!) assert.ok(lab.step(agent));
    assert.is(lab.shown.id, last);
    assert.equal(
      lab.steps.filter(({ broken }) => broken !== null).map((step) => step === lab.shown),
      [true],
    );
    assert.ok(failure.includes(lab.shown.broken!));
  });
}
race("the search goes on from the steps that were made", () => {
  const lab = openScenario("race-no-retry");
  for (let i = 0; i < 4; i++) lab.step("device1"); // the driver is done: it had no rival
  assert.is(findRace(lab.program).order, null);
});
race.run();
