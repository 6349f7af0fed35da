/** The kernel's tests in the lab: each answers as the table of the 38 tests says. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Lab } from "../../../src/lab/lab.ts";
import { openScenario, SCENARIOS } from "../../../src/lab/scenarios.ts";

/** The answers that are errors: tests 3, 5, 19 and 25. */
const ERRORS: Record<string, RegExp> = {
  "anon-read-prot": /EFAULT/,
  "anon-write-prot": /EPERM/,
  "anon-teardown": /EFAULT/,
  "exclusive-mprotect": /EPERM/,
};

/** What the accesses of a scenario say, in order. */
const said = (lab: Lab): string[] =>
  lab.steps
    .filter(({ inside, detail }) => !inside && /reads|writes/.test(detail))
    .map(({ detail }) => detail.split(";")[0]);

const kernel = suite("lab: the kernel's tests");
for (const { name } of SCENARIOS.filter(({ group }) => group === "kernel tests")) {
  kernel(`${name} fails where the kernel's test expects it, and nowhere else`, () => {
    const lab = openScenario(name);
    assert.is(lab.notice, "");
    assert.equal(lab.ready, []);
    const errors = lab.steps.filter(({ error }) => error !== null);
    assert.is(errors.length, name in ERRORS ? 1 : 0);
    for (const { error } of errors) assert.match(error!, ERRORS[name]);
    assert.ok(lab.steps.every(({ broken }) => broken === null));
  });
}
kernel("a child's device writes are the child's alone", () => {
  // The CPU writes 1 to 4, the child's device 5 to all; the parent reads its four and the child the device's.
  assert.equal(said(openScenario("anon-write-child")), [
    "the CPU writes 1, 2, 3, 4",
    "the device writes 5",
    "the CPU reads 1, 2, 3, 4",
    "the CPU reads 5, 5, 5, 5",
  ]);
});
kernel("holes read as zeroes on the device, beside what was written", () => {
  assert.equal(said(openScenario("anon-read")).at(-1), "the device reads 0, 0, 1, 2");
});
kernel("after migrate_release no frame of the device is in use", () => {
  const lab = openScenario("migrate-release");
  assert.is(lab.shown.state.devices[0].used, 0);
  assert.is(said(lab).at(-1), "the CPU reads 1, 2");
});
kernel("pinned pages are in system memory", () => {
  const { frames } = openScenario("hmm-gup-test").shown.state;
  // Two references: the mapping's and the pin's.
  assert.equal(
    frames.filter(({ refs }) => refs > 0).map(({ where, refs }) => `${where} ${refs}`),
    new Array(4).fill("ram 2"),
  );
});
kernel.run();
