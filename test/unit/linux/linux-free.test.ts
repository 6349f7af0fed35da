/** MADV_FREE of large folios, which are dirty as a whole, and exclusive access to their parts (Linux 7.3). */
import * as assert from "uvu/assert";
import { MADV_FREE, MADV_HUGEPAGE, MADV_PAGEOUT, makeDeviceExclusive } from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { AT } from "../../util/huge.ts";
import { newer, P, type World } from "./world.ts";

/** Pages 0 to 15 in a folio of 64 KiB, each with bytes of its own, which the process gives up. */
function givenUp(world: World): void {
  world.hmm.setHugepages(64 << 10, "madvise");
  world.map(0, 16, true);
  world.fill(0, 16);
  world.mm.madvise(AT, 16 * P, MADV_FREE);
  world.events();
}

/** Gives a device the pages [first, first + n) for itself, and returns how many it got. */
function takeExclusive(world: World, first: number, n: number): number {
  using _sem = world.mm.mmapSem.read();
  using taken = makeDeviceExclusive(world.mm, AT + first * P, n);
  return taken.lent;
}

const bytes = (world: World): number[] => Array.from({ length: 16 }, (_, i) => world.byte(i));
const filled = Array.from({ length: 16 }, (_, i) => i + 1);

onEachBuild("linux: MADV_FREE of folios", (test, module) => {
  newer(test, module, "parts that were given up go when the folio is split", (world) => {
    givenUp(world);
    world.mm.madvise(AT + 5 * P, 3 * P, MADV_PAGEOUT);
    assert.equal(world.events(), ["clear 0-16", "clear 5-6", "clear 6-7", "clear 7-8"]);
    assert.equal([world.mm.rss.anon, world.mm.rss.swap], [13, 0]);
    assert.equal(bytes(world), [1, 2, 3, 4, 5, 0, 0, 0, ...filled.slice(8)]);
  });
  newer(test, module, "one write keeps all parts of a folio that is split", (world) => {
    givenUp(world);
    world.write(15); // the same byte as before
    world.mm.madvise(AT + 5 * P, 3 * P, MADV_PAGEOUT);
    assert.equal(world.events(), ["clear 0-16", "clear 5-6", "clear 6-7", "clear 7-8"]);
    assert.equal([world.mm.rss.anon, world.mm.rss.swap], [16, 0]);
    world.mm.madvise(AT + 5 * P, 3 * P, MADV_PAGEOUT); // they are no longer given up
    assert.equal([world.mm.rss.anon, world.mm.rss.swap], [13, 3]);
    assert.equal(bytes(world), filled);
  });
  newer(
    test,
    module,
    "a part that a device has for itself splits the folio, and keeps all of it",
    (world) => {
      givenUp(world);
      assert.is(takeExclusive(world, 5, 1), 1);
      world.events();
      world.mm.madvise(AT, 16 * P, MADV_PAGEOUT);
      const tries = Array.from({ length: 16 }, (_, i) => `clear ${i}-${i + 1}`);
      assert.equal(world.events(), ["clear 0-16", ...tries]);
      assert.equal([world.mm.rss.anon, world.mm.rss.swap], [16, 0]);
      assert.equal(bytes(world), filled);
    },
  );
  newer(test, module, "MADV_FREE splits a folio of which a device has a part", (world) => {
    world.hmm.setHugepages(64 << 10, "madvise");
    world.map(0, 16, true);
    world.fill(0, 16);
    takeExclusive(world, 5, 1);
    world.events();
    world.mm.madvise(AT, 16 * P, MADV_FREE);
    assert.equal(world.events(), ["clear 0-16", "clear 0-16"], "the advice, and the split");
    world.mm.madvise(AT, 16 * P, MADV_PAGEOUT);
    assert.is(world.mm.rss.anon, 0, "the advice has cleared their marks");
  });
  newer(
    test,
    module,
    "a second request takes a folio's parts from the first, each with its own lock",
    (world) => {
      givenUp(world);
      takeExclusive(world, 1, 2);
      assert.is(takeExclusive(world, 0, 4), 4);
    },
  );
  newer(test, module, "references of the swap cache do not keep a folio from a split", (world) => {
    world.hmm.setHugepages(64 << 10, "madvise");
    world.map(0, 16, true);
    world.fill(0, 16);
    world.mm.madvise(AT, 16 * P, MADV_PAGEOUT);
    const child = world.mm.fork();
    world.write(0); // all come back and stay in the cache, whose slots the child names; page 0 is copied
    child.close();
    assert.equal([world.mm.rss.anon, world.mm.rss.swap], [16, 0]);
    world.events();
    world.mm.madvise(AT + P, 15 * P, MADV_FREE);
    assert.equal(world.events(), ["clear 1-16", "clear 0-16"], "the advice, and the split");
    world.mm.madvise(AT + P, 15 * P, MADV_PAGEOUT);
    assert.equal([world.mm.rss.anon, world.mm.rss.swap], [1, 0], "given up, and dropped");
    assert.is(world.byte(0), 1);
  });
  newer(test, module, "a folio of 2 MiB that is written once keeps what is split from it", (world) => {
    world.map(0, 512);
    world.mm.madvise(AT, 512 * P, MADV_HUGEPAGE);
    world.fill(0, 512);
    world.mm.madvise(AT, 512 * P, MADV_FREE);
    world.write(500);
    world.mm.madvise(AT, P, MADV_PAGEOUT);
    assert.is(world.byte(0), 1);
  });
}).run();
