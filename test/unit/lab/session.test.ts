/** What a user does with one lab, without a page: src/lab/element/session.ts and words.ts. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Session } from "../../../src/lab/element/session.ts";
import { changedText } from "../../../src/lab/element/words.ts";
import type { StepText } from "../../../src/lab/texts-migration.ts";
import { STEP_TEXTS } from "../../../src/lab/texts.ts";
import { builds } from "../../util/builds.ts";

const [[, module]] = builds;

const session = suite("lab: session");
session("pages are selected alone, and with Shift up to there, in both directions", () => {
  const of = new Session(module);
  const selected = (page: number, extend: boolean): number[] => {
    of.select(page, extend);
    return [of.selection.first, of.selection.last];
  };
  assert.equal(selected(2, false), [2, 2]);
  assert.equal(selected(5, true), [2, 5]);
  assert.equal(selected(0, true), [0, 2]);
});
session(
  "an operation begins after the one that is shown, at its first step, and drops what came later",
  () => {
    const of = new Session(module);
    of.open("migrate-and-back", 4); // within the migration
    of.select(7, false);
    of.do("r");
    const { lab } = of;
    assert.equal(
      lab.operations.map(({ verb }) => verb),
      ["w", "to", "r"],
    );
    assert.is(lab.shown.operation, 2);
    assert.is(lab.steps[lab.at - 1].id, "finalize");
  },
);
session("a queued operation makes no step", () => {
  const of = new Session(module);
  of.queueing = true;
  of.do("w");
  assert.equal([of.lab.steps.length, of.lab.ready], [1, ["cpu"]]);
});
session("a failing order is replayed from the step that is shown, and a correct driver has none", () => {
  const of = new Session(module);
  of.open("race-no-retry");
  const { at } = of.lab;
  of.search();
  assert.is(of.lab.at, at);
  const steps = of.lab.steps.slice(at + 1);
  assert.equal(
    steps.map(({ broken }) => broken !== null),
    [...steps.slice(1).map(() => false), true],
  );
  of.setBug("none");
  assert.equal(of.lab.ready, ["cpu", "device1"]);
  of.search();
  assert.equal([of.race?.order, of.race?.complete], [null, true]);
});
session("the link of a session opens the same state", () => {
  const of = new Session(module);
  of.open("fork", 9);
  const other = new Session(module);
  other.openLink(of.link);
  assert.is(other.link, of.link);
  // A link gives all operations first: they wait in the agents' queues.
  assert.equal({ ...other.lab.shown.state, agents: [] }, { ...of.lab.shown.state, agents: [] });
});
session.run();

const words = suite("lab: words");
words("what a step changed is counted by kinds", () => {
  const changed = ["cpu.1.0", "frame.2", "cpu.1.1"];
  const [step] = new Session(module).lab.steps;
  assert.is(changedText({ ...step, changed }), "2 entries of the CPU's table, 1 frame");
});
words("each step of a driver's migration and of its retry loop says what goes wrong without it", () => {
  const ids = ["sem", "setup", "alloc", "copy", "pages", "map-migrated", "finalize"] as const;
  for (const id of [...ids, "read-begin", "lock", "retry", "notify"] as const) {
    const { otherwise = "", section }: StepText = STEP_TEXTS[id];
    assert.match(otherwise, /^Without /, id);
    assert.ok(section !== null, id);
  }
});
words.run();
