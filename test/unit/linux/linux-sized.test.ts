/** Folios of 16 KiB to 1 MiB, moves of several mappings, and MADV_FREE, under the rules of Linux 7.3. */
import * as assert from "uvu/assert";
import {
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_PAGEOUT,
  makeDeviceExclusive,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { AT } from "../../util/huge.ts";
import { both, newer, P, type World } from "./world.ts";

/** 32 pages, the first 16 of which one write has mapped as a folio of 64 KiB. */
function folio(world: World): World {
  world.hmm.setHugepages(64 << 10, "madvise");
  world.map(0, 32, true);
  world.write(5);
  world.events();
  return world;
}

onEachBuild("linux: sized folios", (test, module) => {
  newer(
    test,
    module,
    "a write maps the largest folio that is enabled, fits and finds its range empty",
    (world) => {
      world.hmm.setHugepages(16 << 10, "always");
      world.hmm.setHugepages(64 << 10, "madvise");
      world.map(0, 30);
      world.write(3); // not advised: 16 KiB
      assert.is(world.mm.rss.anon, 4);
      world.mm.madvise(AT, 30 * P, MADV_HUGEPAGE);
      world.write(5); // the range of 64 KiB is not empty
      assert.is(world.mm.rss.anon, 8);
      world.write(29); // pages 16 to 31 do not lie inside the mapping, nor do pages 28 to 31
      assert.is(world.mm.rss.anon, 9);
      world.byte(20); // a read maps one zero page
      assert.is(world.mm.rss.anon, 9);
    },
  );
  for (const kib of [16, 32, 64, 128, 256, 512, 1024]) {
    newer(test, module, `folios of ${kib} KiB`, (world) => {
      const free = world.hmm.freePages;
      world.hmm.setHugepages(kib << 10, "always");
      world.map(0, 512);
      world.write(0);
      const n = kib / 4;
      assert.is(world.mm.rss.anon, n);
      const first = world.mm.lookupPte(AT)!.pfn;
      assert.is(first % n, 0, "aligned as its size");
      assert.is(world.mm.lookupPte(AT + (n - 1) * P)!.pfn, first + n - 1);
      world.mm.munmap(AT, 512 * P);
      assert.is(world.hmm.freePages, free, "nothing is left in use");
    });
  }
  newer(test, module, "a folio is in use as a whole until its last part is gone", (world) => {
    folio(world);
    const free = world.hmm.freePages;
    for (let i = 0; i < 15; i++) world.mm.munmap(AT + i * P, P);
    assert.is(world.hmm.freePages, free);
    world.mm.munmap(AT + 15 * P, P);
    assert.is(world.hmm.freePages, free + 16);
  });
  newer(test, module, "a migration splits the folio, and zeros become holes", (world) => {
    folio(world);
    assert.is(world.toDevice(4, 8), 4);
    assert.equal(world.events(), ["migrate 4-8", "clear 0-16", "migrate 4-8"]);
    assert.is(world.mm.rss.anon, 4); // page 5, and three holes that were filled
  });
  newer(test, module, "a pinned part keeps the folio", (world) => {
    folio(world);
    using _pin = world.mm.pin(AT + 9 * P, 1);
    assert.is(world.toDevice(0, 16), 0);
    assert.equal(world.events(), ["migrate 0-16"]);
  });
  newer(test, module, "a folio leaves for swap space and comes back in one piece", (world) => {
    folio(world);
    world.fill(0, 16);
    world.mm.madvise(AT, 16 * P, MADV_PAGEOUT);
    assert.equal(world.events(), ["clear 0-16"]);
    assert.equal([world.mm.rss.swap, world.mm.rss.anon], [16, 0]);
    const faults = world.mm.faults.total;
    assert.is(world.byte(7), 8);
    assert.equal([world.mm.rss.swap, world.mm.rss.anon], [0, 16]);
    assert.is(world.mm.faults.total, faults + 1);
    for (let i = 0; i < 16; i++) assert.is(world.byte(i), i + 1);
  });
  newer(test, module, "where its size is not enabled, a folio comes back page by page", (world) => {
    folio(world);
    world.mm.madvise(AT, 16 * P, MADV_PAGEOUT);
    world.hmm.setHugepages(64 << 10, "never");
    world.hmm.setHugepages(16 << 10, "always");
    world.byte(7); // pages 4 to 7
    assert.equal([world.mm.rss.swap, world.mm.rss.anon], [12, 4]);
  });
  newer(
    test,
    module,
    "a folio is split; another one, which is pinned, ends the look at its 2 MiB",
    (world) => {
      world.map(0, 32);
      world.hmm.setHugepages(16 << 10, "always");
      world.write(0); // pages 0 to 3
      world.write(8); // pages 8 to 11
      world.byte(12); // the zero page
      using _pin = world.mm.pin(AT + 8 * P, 1);
      world.events();
      // Page 0 moves, and 1 to 7 are filled as holes: zeros of a split folio have become the zero page.
      assert.is(world.toDevice(0, 32), 8);
      assert.equal(world.events(), ["migrate 0-32", "clear 0-4", "migrate 1-32"]);
    },
  );
  newer(test, module, "exclusive access to a part does not split the folio", (world) => {
    folio(world);
    {
      using _sem = world.mm.mmapSem.read();
      using taken = makeDeviceExclusive(world.mm, AT + 5 * P, 1);
      assert.is(taken.lent, 1);
    }
    assert.equal(world.events(), ["exclusive 5-6"]);
    assert.is(world.byte(5), 6);
    assert.equal(world.events(), ["clear 5-6"]);
  });
  newer(test, module, "a process that has a folio alone again writes it in place", (world) => {
    folio(world);
    const child = world.mm.fork();
    world.write(3, child); // a copy; the folio's page stays
    child.close();
    world.events();
    world.write(4);
    assert.equal(world.events(), []);
    assert.is(world.mm.rss.anon, 16);
  });
  newer(test, module, "a folio of a fork is copied page by page", (world) => {
    folio(world);
    using child = world.mm.fork();
    world.write(4);
    assert.equal(world.events(), ["protection_page 0-32", "clear 4-5"]);
    assert.is(world.byte(5, child), 6);
  });
  both(
    test,
    module,
    "a range of two mappings and a hole moves",
    (world) => {
      world.map(0, 2);
      world.map(3, 1);
      world.fill(0, 2);
      world.fill(3, 1);
      world.map(21, 3);
      try {
        world.mm.mremap(AT, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, AT + 20 * P);
      } catch (error) {
        return -(error as { errno: number }).errno;
      }
      // The hole leaves what was mapped at page 22.
      return world.mm.vmas().map(({ start, end }) => [(start - AT) / P, (end - AT) / P]);
    },
    {
      "6.12": -14,
      "7.3": [
        [20, 22],
        [22, 23],
        [23, 24],
      ],
    },
  );
  both(
    test,
    module,
    "MADV_FREE, a trip to a device, and MADV_PAGEOUT",
    (world) => {
      world.map(0, 4);
      world.fill(0, 4);
      world.mm.madvise(AT, 3 * P, MADV_FREE);
      world.write(2);
      world.toDevice(0, 4);
      world.toSystem(0, 4);
      world.mm.madvise(AT, 4 * P, MADV_PAGEOUT);
      // Pages 0 and 1 are given up; page 2 was written since, and stays once.
      return [world.mm.rss.swap, world.byte(0), world.byte(2), world.byte(3)];
    },
    { "6.12": [4, 1, 3, 4], "7.3": [1, 0, 3, 4] },
  );
}).run();
