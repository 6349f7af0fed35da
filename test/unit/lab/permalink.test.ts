/** Permalinks: a text for a state, and the state again. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { pack, unpack } from "../../../src/lab/checkpoint.ts";
import type { Lab } from "../../../src/lab/lab.ts";
import { parseOperation } from "../../../src/lab/operation.ts";
import { formatPermalink, openPermalink, parsePermalink } from "../../../src/lab/permalink.ts";
import { openScenario } from "../../../src/lab/scenarios.ts";

const link = suite("lab: permalinks");

link("the text has what differs from the defaults, and counts steps of one agent", () => {
  const lab = openScenario("partial-failure");
  const text = formatPermalink({ program: lab.program, step: 4 });
  assert.is(text, "frames=3&ops=w0-4,pin1,to0-4&order=gcgcgd7&step=4");
});
for (const [name, steps] of [
  ["migrate-and-back", []],
  ["two-devices", []],
  ["race-no-retry", ["device1", "cpu", "device1"]],
] as const) {
  link(`${name}: the link makes every step again`, () => {
    const lab = openScenario(name);
    for (const agent of steps) lab.step(agent);
    const step = lab.steps.length - 2;
    const again = openPermalink(`#${formatPermalink({ program: lab.program, step })}`);
    assert.is(again.at, step);
    const shown = ({ steps: all }: Lab): unknown =>
      all.map(({ id, detail, changed, state }) => ({ id, detail, changed, state }));
    assert.equal(shown(again), shown(lab));
    assert.equal(again.program, lab.program);
  });
}
link("who goes back in a lab from a link and does something else drops what came later", () => {
  const lab = openScenario("migrate-and-back");
  const again = openPermalink(formatPermalink({ program: lab.program, step: 0 }));
  for (const one of [lab, again]) {
    one.goto(1);
    one.do(parseOperation("r0", one.config));
  }
  assert.equal(again.program, lab.program);
  assert.is(again.operations.length, 2, "the first one and the new one");
});
link("a link without the places of its operations gives all of them first", () => {
  const lab = openPermalink("ops=w0,w1&order=c2&step=0");
  assert.equal([lab.steps.length, lab.shown.state.agents[0].agent], [3, "cpu"]);
});
link("a text that is no link is refused by the part that is wrong", () => {
  for (const [text, message] of [
    ["ops=w0&order=x", /order/],
    ["ops=w99", /pages must be a range within 0-7/],
    ["pages=1", /config.pages/],
    ["step=-1", /step/],
    ["color=red", /text must be made of pages/],
    ["bug=none2", /config.bug/],
  ] as const)
    assert.throws(() => parsePermalink(text), message, text);
});
link("a step beyond the end shows the last one", () => {
  assert.is(openPermalink("ops=w0&order=c&step=99").at, 1);
});
link.run();

const checkpoint = suite("lab: checkpoints");
checkpoint("packed bytes come back, whatever their number, and empty blocks cost nothing", () => {
  for (const length of [0, 3, 64, 65, 200, 4096]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i % 97 === 5 ? i : 0));
    assert.equal(unpack(pack(bytes)), bytes);
  }
  const bytes = new Uint8Array(1 << 16);
  bytes[70] = 1;
  assert.equal([...pack(bytes).blocks], [1]);
});
checkpoint.run();
