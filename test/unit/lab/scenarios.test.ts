/** The scenarios and the tour: each can be shown, and speaks of what it shows. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatOperation, parseOperation } from "../../../src/lab/operation.ts";
import { openScenario, SCENARIOS } from "../../../src/lab/scenarios.ts";
import { STEP_TEXTS } from "../../../src/lab/texts.ts";
import { openStop, TOUR } from "../../../src/lab/tour.ts";

/** What should fail. */
const ERRORS: Record<string, RegExp> = { accounting: /ENOMEM: memory cgroup limit/ };

const scenarios = suite("lab: scenarios");
const shown = new Set<string>();
for (const scenario of SCENARIOS.filter(({ group }) => group !== "kernel tests")) {
  scenarios(`${scenario.name} comes to its end, and only what should fail fails`, () => {
    const lab = openScenario(scenario.name);
    for (const { id } of lab.steps) shown.add(id);
    assert.is(lab.notice, "");
    assert.equal(lab.ready.length > 0, scenario.race !== undefined);
    const errors = lab.steps.filter(({ error }) => error !== null);
    assert.is(errors.length, scenario.name in ERRORS ? 1 : 0);
    for (const { error } of errors) assert.match(error!, ERRORS[scenario.name]);
    assert.ok(lab.steps.every(({ broken }) => broken === null));
  });
}
scenarios("every kind of step is shown by some scenario, but for those of races, bugs and unpin", () => {
  const left = Object.keys(STEP_TEXTS).filter((id) => !shown.has(id));
  assert.equal(left, ["mprotect", "munmap", "unpin", "upgrade", "evict-setup", "notify-late"]);
});
scenarios("names are unique, and operations are written as they are read", () => {
  assert.is(new Set(SCENARIOS.map(({ name }) => name)).size, SCENARIOS.length);
  const config = { pages: 16, devices: 2, frames: 16, limit: 0, bug: "none" } as const;
  for (const { operations } of SCENARIOS)
    for (const each of operations.split(" ")) assert.is(formatOperation(parseOperation(each, config)), each);
});
scenarios("a name that there is not is refused with those that there are", () => {
  assert.throws(() => openScenario("x"), /openScenario: name must be one of migrate-and-back/);
});
scenarios.run();

const tour = suite("lab: tour");
tour("ten stops show the step that they speak of", () => {
  assert.is(TOUR.length, 10);
  TOUR.forEach((stop, i) => {
    const lab = openStop(i);
    assert.ok(stop.title.startsWith(`${i + 1}. `));
    if (stop.step === "failing order") assert.ok(lab.shown.broken !== null, stop.title);
    else assert.is(lab.shown.id, stop.step, stop.title);
  });
});
tour.run();
