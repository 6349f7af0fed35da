/** Access counters: B6, and the sentences of D about them. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Timeline } from "../../../../src/sim/time/timeline.ts";
import { NO_LISTENER } from "../time/models.ts";
import { access, BLOCK, machine, WRITE } from "./machines.ts";
import { AccessCounters } from "../../../../src/sim/policies/access-counters.ts";

const test = suite("driver: access counters");
test("at 256 accesses to 2 MiB there is one notification, with the 64 KiB parts that were touched", () => {
  const counters = new AccessCounters();
  for (let i = 0; i < 255; i++) counters.count(512 + (i % 2 === 0 ? 3 : 17));
  assert.is(counters.pending, false);
  counters.count(512 + 511);
  assert.is(counters.pending, true);
  // Parts 0 (page 3), 1 (page 17) and 31 (page 511) of block 1.
  assert.equal(counters.take(), [{ block: 1, parts: 0x80000003 }]);
  assert.is(counters.pending, false);
});
test("each 2 MiB has a counter of its own", () => {
  const counters = new AccessCounters(2);
  counters.count(0);
  counters.count(512);
  assert.is(counters.pending, false);
  counters.count(513);
  counters.count(16);
  assert.equal(counters.take(), [
    { block: 1, parts: 1 },
    { block: 0, parts: 3 },
  ]);
});
test("a counter that has notified counts on only after it was served and cleared", () => {
  const counters = new AccessCounters(2);
  for (let i = 0; i < 7; i++) counters.count(i);
  assert.is(counters.take().length, 1);
  counters.count(0);
  assert.is(counters.pending, false);
  counters.count(0);
  assert.is(counters.take().length, 1);
});
test("the driver serves notifications in batches of 256, and those without a page to move in none", () => {
  const gpu = machine({ chunks: 400 });
  const notifications = Array.from({ length: 300 }, (_, i) => ({ block: 1024 + i, parts: 1 }));
  access(
    gpu,
    notifications.map(({ block }) => ({ ...WRITE, address: block * BLOCK })),
  );
  const groups: [entries: number, pages: number][] = [];
  const blocks: number[] = [];
  const timeline = new Timeline(null);
  timeline.listener = {
    ...NO_LISTENER,
    groupBegin: (_at, { entries, pages }) => groups.push([entries, pages]),
  };
  timeline.block = (address?: number) => blocks.push(address! / BLOCK);
  gpu.observe(timeline);
  gpu.driver.serveCounters(1, notifications);
  // The CPU's write has made 16 pages of each block, all in part 0.
  assert.equal(groups, [
    [256, 256 * 16],
    [44, 44 * 16],
  ]);
  assert.equal(
    blocks,
    notifications.map(({ block }) => block),
  );
  gpu.driver.serveCounters(1, notifications);
  assert.is(groups.length, 2);
  assert.is(gpu.counts.notifications, 600);
});
test.run();
