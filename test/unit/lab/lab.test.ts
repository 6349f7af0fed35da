/** The lab's timeline: steps, forwards and backwards, and what a step shows. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Lab, type LabStep } from "../../../src/lab/lab.ts";
import { parseOperation } from "../../../src/lab/operation.ts";
import { openScenario } from "../../../src/lab/scenarios.ts";

/** Makes a lab that has carried out operations, written as parseOperation reads them. */
function labOf(operations: string, config: ConstructorParameters<typeof Lab>[0] = {}): Lab {
  const lab = new Lab(config);
  for (const each of operations.split(" ")) lab.do(parseOperation(each, lab.config));
  return lab;
}

const ids = (lab: Lab): string[] => lab.steps.map(({ id, inside }) => (inside ? `(${id})` : id));
const first = (lab: Lab, id: string): LabStep => lab.steps.find((step) => step.id === id)!;

const steps = suite("lab: steps");

steps("a migration and its fault back unfold into the steps of the HMM document", () => {
  const device = "sem (notify) (collected) setup alloc copy pages map-migrated finalize";
  const back = "(device-fault) (notify) (collected) (setup) (alloc) (copy) (pages) (finalize) access";
  assert.is(ids(openScenario("migrate-and-back")).join(" "), `begin access ${device} ${back}`);
});
steps("a page that a child maps is unmapped there, after the child's mirror was told", () => {
  const lab = labOf("w0 fork to0");
  const at = lab.steps.findIndex(({ id }) => id === "collected");
  assert.equal(ids(lab).slice(at, at + 5), ["(collected)", "(notify)", "(notify)", "(unmapped)", "setup"]);
  assert.is(
    lab.steps[at + 2].detail,
    "driver 1 is told: page 0 of process 2, about to be taken out of the table",
  );
});
steps("the sequence is odd while the driver is told, and even between steps", () => {
  const lab = openScenario("mirror");
  for (const { id, inside, state } of lab.steps) {
    const odd = id === "notify" || id === "collected";
    assert.is(state.processes[0].seq % 2, inside && odd ? 1 : 0, id);
    assert.is(state.processes[0].windows, inside && odd ? 1 : 0, id);
  }
});
steps("the device's entries go while the CPU's stay, and the CPU's go in the step after", () => {
  const lab = openScenario("mirror");
  const at = lab.steps.findIndex(({ id }) => id === "discard");
  const told = lab.steps[at - 1];
  assert.is(told.id, "notify");
  assert.ok(told.changed.includes("device.1.1.1") && !told.changed.includes("cpu.1.1"));
  assert.ok(lab.steps[at].changed.includes("cpu.1.1"));
});
steps("the words of an open migration follow the driver's calls", () => {
  const lab = labOf("w0 to0");
  const slot = (id: string): unknown => first(lab, id).state.migrations[0].slots[0];
  // Frame 2 is the first of system memory; the driver's first frame follows all of it and the gap.
  const frame = first(lab, "finalize").state.processes[0].entries[0].frame;
  assert.equal(slot("setup"), { name: "page 0", src: "VALID MIGRATE WRITE frame 2", dst: "0", reason: "" });
  assert.equal(slot("alloc"), {
    name: "page 0",
    src: "VALID MIGRATE WRITE frame 2",
    dst: `VALID frame ${frame}`,
    reason: "",
  });
  assert.is(first(lab, "finalize").state.migrations.length, 0);
  const kinds = ["access", "collected", "pages", "finalize"].map(
    (id) => first(lab, id).state.processes[0].entries[0].kind,
  );
  assert.equal(kinds, ["present", "migration", "migration", "device"]);
});
steps("contents are copied, and only copied, by the copy step", () => {
  const lab = labOf("w0 to0");
  const value = (id: string): unknown[] =>
    first(lab, id)
      .state.frames.filter(({ value }) => value === 1)
      .map(({ where }) => where);
  assert.equal(["alloc", "copy", "finalize"].map(value), [["ram"], ["ram", "device1"], ["device1"]]);
});
steps("pages that stay have a reason each", () => {
  const lab = openScenario("partial-failure");
  const setup = first(lab, "alloc").state.migrations[0].slots.map(({ reason }) => reason);
  assert.equal(setup, ["", "the page is pinned", "", "", ""]);
  // Three frames for pages 0, 2 and 3; page 4 gets none.
  assert.is(first(lab, "alloc").detail, "3 frames of device 1: the device is full, 1 stays");
  assert.is(
    first(lab, "finalize").detail,
    "3 pages moved, 2 stayed: the page is pinned; the driver gave no destination",
  );
});
steps("a migration changes neither rss nor the charge, and a page beyond the limit is refused", () => {
  const lab = openScenario("accounting");
  for (const { state } of lab.steps.filter(({ operation }) => operation === 1)) {
    assert.is(state.processes[0].rss.anon, 4);
    assert.ok(state.memcg.usage === 4);
  }
  assert.match(lab.steps.find(({ operation }) => operation === 2)!.error!, /ENOMEM/);
  assert.is(lab.shown.error, null);
});
steps("parent and child write to pages of their own", () => {
  const { processes, frames } = openScenario("fork").shown.state;
  const values = processes.map(
    ({ entries }) => frames.find(({ frame }) => frame === entries[0].frame)!.value,
  );
  assert.equal(values, [2, 3]);
});
steps.run();

const time = suite("lab: time");

time("going on from any step makes the same states again", () => {
  const lab = labOf("w0-1 to0-1 fork w0");
  const states = lab.steps.map(({ state }) => state);
  for (let step = states.length - 1; step > 0; step--) {
    lab.goto(step);
    if (lab.shown.inside) continue;
    assert.equal(lab.shown.state, states[step]);
  }
  // From the middle of the migration, with mmap_sem held and the migration open, to the end of it.
  const copied = lab.steps.findIndex(({ id }) => id === "copy");
  lab.goto(copied);
  const end = lab.steps.findIndex(({ id }) => id === "finalize");
  while (lab.ready.length > 0) lab.step("device1");
  assert.is(lab.steps.length, end + 1);
  assert.equal(
    lab.steps.map(({ state }) => state),
    states.slice(0, end + 1),
  );
});
time("a step back drops what came after it only when something is done", () => {
  const lab = openScenario("migrate-and-back");
  const length = lab.steps.length;
  lab.goto(1);
  lab.goto(length - 1);
  assert.is(lab.steps.length, length);
  lab.goto(1);
  lab.do(parseOperation("w5", lab.config));
  assert.equal(ids(lab), ["begin", "access", "access"]);
  assert.equal(
    lab.operations.map(({ verb }) => verb),
    ["w", "w"],
  );
});
time("from inside a call, the lab goes on at the call's end", () => {
  const lab = openScenario("migrate-and-back");
  lab.goto(lab.steps.findIndex(({ id }) => id === "notify"));
  lab.do(parseOperation("r5", lab.config));
  assert.equal(ids(lab).slice(-2), ["setup", "access"]);
});
time("the CPU waits for an open migration, and nothing has happened", () => {
  const lab = openScenario("migrate-and-back");
  lab.goto(lab.steps.findIndex(({ id }) => id === "copy"));
  const before = lab.shown.state;
  assert.not(lab.do(parseOperation("r1", lab.config)));
  assert.match(lab.notice, /^CPU reads page 1 has to wait: .*migration 1 is open/);
  assert.equal({ ...lab.shown.state, agents: [] }, { ...before, agents: [] });
  assert.equal(lab.ready, ["cpu", "device1"]);
  assert.ok(lab.finish());
  assert.is(lab.shown.state.processes[0].rss.anon, 4);
});
time("munmap waits for mmap_sem, which the driver holds from its first step on", () => {
  const lab = new Lab();
  lab.do(parseOperation("w0", lab.config));
  lab.give(parseOperation("to0", lab.config));
  lab.step("device1");
  assert.is(lab.shown.state.processes[0].sem, "read by driver 1");
  assert.not(lab.do(parseOperation("unmap0", lab.config)));
  assert.match(lab.notice, /munmap page 0 has to wait/);
});
time("nothing to do is said, and a step that is not there is refused", () => {
  const lab = new Lab();
  assert.not(lab.step("cpu"));
  assert.is(lab.notice, "there is nothing to do");
  assert.throws(() => lab.goto(1), /lab.goto: step must be/);
});
time("bad configurations and operations are refused by name", () => {
  assert.throws(() => new Lab({ pages: 3 }), /config.pages/);
  assert.throws(() => new Lab({ bug: "x" as never }), /config.bug must be one of none, no-retry/);
  assert.throws(() => new Lab({ color: 1 } as never), /config must be made of pages/);
  const lab = new Lab({ pages: 4 });
  for (const text of ["w4", "w2-1", "x0", "w0@4", "to0/2", "", "w-1"])
    assert.throws(() => parseOperation(text, lab.config), /must be/, text);
  assert.is(lab.steps.length, 1);
});
time.run();
