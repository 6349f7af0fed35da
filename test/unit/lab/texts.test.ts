/** The words of a step in the place where it is made: src/lab/texts-here.ts, and the lab's own messages. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { inPages } from "../../../src/lab/element/words.ts";
import { Lab, type LabStep } from "../../../src/lab/lab.ts";
import { parseOperation } from "../../../src/lab/operation.ts";
import { findRace } from "../../../src/lab/race.ts";
import { openScenario } from "../../../src/lab/scenarios.ts";
import { textOf } from "../../../src/lab/texts-here.ts";
import type { StepText } from "../../../src/lab/texts-migration.ts";
import type { StepId } from "../../../src/lab/texts.ts";
import { builds } from "../../util/builds.ts";

const [[, module]] = builds;

/** The lab after some operations. */
function after(text: string, config = {}): Lab {
  const lab = new Lab(config, module);
  for (const each of text.split(" ")) lab.do(parseOperation(each, lab.config));
  return lab;
}

/** The last step of a kind. */
function lastStep({ steps }: Lab, id: StepId): LabStep {
  return steps.filter((step) => step.id === id).at(-1)!;
}

/** The words of the last step of a kind. */
function last(lab: Lab, id: StepId): StepText {
  return textOf(lab, lab.steps.indexOf(lastStep(lab, id)));
}

const texts = suite("lab: words in their place");
texts("the way back speaks of frames of system memory, and of no entries of the device", () => {
  const [there, back] = [after("w0 to0"), after("w0 to0 back0")];
  assert.match(last(there, "alloc").says, /frame of the device's memory/);
  assert.match(last(back, "alloc").says, /back to system memory/);
  assert.match(last(there, "map-migrated").title, /^Map the pages/);
  // mapMigrated enters only pages that lie on the device: none, on the way back.
  assert.is(lastStep(back, "map-migrated").detail, "0 entries");
  assert.match(last(back, "map-migrated").title, /^Nothing to map/);
});
texts("inside a fault, the page was locked before, and its old frame is free only after", () => {
  const lab = openScenario("migrate-and-back", module);
  assert.match(last(lab, "collected").says, /locked already/);
  assert.match(last(lab, "finalize").says, /still locked and in use/);
  assert.match(last(lab, "access").says, /^The fault is over/);
  assert.not.match(textOf(lab, 1).says, /^The fault is over/);
});
texts("a copy says why nothing is seen to change, where nothing is", () => {
  // The frame that the page left is the first free one again, and holds the number still.
  assert.match(last(after("w0 to0 back0"), "copy").says, /Nothing changes to see here/);
  assert.not.match(last(after("w0 to0 dw0 back0"), "copy").says, /Nothing changes/);
});
texts("a setup says that its second part was not needed, unless it was made", () => {
  assert.match(last(after("w0 to0"), "setup").says, /was not needed/);
  assert.not.match(last(after("w0 pin0 to0"), "setup").says, /was not needed/);
});
texts("a driver with a bug gets no credit for the rule that it breaks", () => {
  assert.match(last(after("w0 m0"), "map").keeps, /asked under its lock/);
  assert.match(last(after("w0 m0", { bug: "no-retry" }), "map").keeps, /^Nothing/);
  assert.match(last(after("w0 m0", { bug: "no-lock" }), "retry").says, /without its lock/);
});
texts("an operation that fails, and a write, have invariants of their own", () => {
  assert.match(last(after("none0 r0"), "access").keeps, /has changed no page/);
  assert.match(last(after("w0"), "access").keeps, /finds what was written/);
  assert.match(last(after("w0 r0"), "access").keeps, /what was written last/);
});
texts("a page that is given up while it moves is not counted as moved", () => {
  const lab = after("w0-2");
  for (const each of ["to0-2", "discard0"]) lab.give(parseOperation(each, lab.config));
  for (let i = 0; i < 5; i++) lab.step("device1"); // up to the new frames
  lab.step("cpu"); // discards page 0
  while (lab.step("device1"));
  assert.is(lastStep(lab, "finalize").detail, "2 pages moved, 1 given up by the program meanwhile");
});
texts("a broken invariant names pages and frames", () => {
  const text = "mm 1: at 0x7f0000001000 the device has page 2 and the CPU 0";
  assert.is(inPages(text), "mm 1: at page 1 the device has frame 2, and the CPU none");
  const lab = openScenario("race-no-retry", module);
  for (const agent of findRace(lab.program).order!) lab.step(agent);
  assert.match(inPages(lab.shown.broken!), /at page 0 the device has frame \d+, and the CPU none/);
});
texts.run();
