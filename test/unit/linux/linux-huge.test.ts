/**
 * Huge pages, on devices and off, under the rules of Linux 6.12 and 7.3. Pages count from the first of 2
 * MiB.
 */
import * as assert from "uvu/assert";
import {
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_PAGEOUT,
  migrateDeviceRange,
  PROT_READ,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { AT, PMD } from "../../util/huge.ts";
import { both, newer, P, type World } from "./world.ts";

/** A huge page with a byte in each of its pages; nothing was heard yet. */
function huge(world: World): World {
  world.map(0, 512, true);
  world.fill();
  world.events();
  return world;
}

/** A huge page on the device. */
function onDevice(world: World): World {
  huge(world).toDevice(0, 512);
  world.events();
  return world;
}

onEachBuild("linux: huge pages", (test, module) => {
  both(
    test,
    module,
    "a part of a huge page migrates",
    (world) => [huge(world).toDevice(8, 16), world.events()],
    {
      // The mapping's split, then the folio's.
      "6.12": [8, ["migrate 8-16", "clear 0-512", "clear 0-512"]],
      "7.3": [8, ["migrate 8-16", "clear 0-512"]],
    },
  );
  both(
    test,
    module,
    "a folio that single entries map stays, or splits stretch by stretch",
    (world) => {
      huge(world);
      world.mm.munmap(AT + 100 * P, 10 * P);
      world.events();
      world.toDevice(0, 100);
      return world.events();
    },
    {
      "6.12": ["migrate 0-100"],
      "7.3": ["migrate 0-100", "clear 0-100", "clear 110-512"],
    },
  );
  both(
    test,
    module,
    "a driver that selects no units moves pages of a folio that single entries map",
    (world) => {
      huge(world);
      world.mm.munmap(AT + 100 * P, 10 * P);
      world.units = false;
      return world.toDevice(0, 100);
    },
    { "6.12": 0, "7.3": 100 },
  );
  both(
    test,
    module,
    "a migration back leaves a huge page of system memory alone",
    (world) => {
      huge(world).toSystem(0, 16);
      return world.events();
    },
    { "6.12": ["migrate 0-16", "clear 0-512", "clear 0-512"], "7.3": ["migrate 0-16"] },
  );
  both(
    test,
    module,
    "a part of the huge zero page migrates",
    (world) => {
      world.map(0, 512, true);
      world.byte(0);
      world.events();
      return [world.toDevice(8, 16), world.events()];
    },
    {
      "6.12": [8, ["migrate 8-16", "clear 0-512", "migrate 8-16"]],
      "7.3": [8, ["migrate 8-16", "migrate 8-16", "clear 0-512"]],
    },
  );
  both(
    test,
    module,
    "a write to the huge zero page",
    (world) => {
      world.map(0, 512, true);
      world.byte(0);
      world.events();
      world.write(3);
      return [world.mm.rss.anon, world.events()];
    },
    { "6.12": [1, ["clear 0-512", "clear 3-4"]], "7.3": [512, ["clear 0-512"]] },
  );
  both(
    test,
    module,
    "MADV_DONTNEED frees the page table of 2 MiB",
    (world) => {
      huge(world);
      world.mm.mprotect(AT, P, PROT_READ);
      world.mm.mprotect(AT, P, 3);
      world.mm.madvise(AT, PMD, MADV_DONTNEED);
      world.write(0);
      return world.mm.rss.anon;
    },
    { "6.12": 1, "7.3": 512 },
  );
  both(
    test,
    module,
    "MADV_COLLAPSE of pages that are all on a device",
    (world) => {
      world.map(0, 512);
      world.fill();
      world.toDevice(0, 512);
      try {
        world.mm.madvise(AT, PMD, MADV_COLLAPSE);
        return world.devmem.usedPages;
      } catch (error) {
        return -(error as { errno: number }).errno;
      }
    },
    { "6.12": -22, "7.3": 0 },
  );
  newer(test, module, "MADV_COLLAPSE of zero pages alone, which no process has written", (world) => {
    world.map(0, 512);
    for (let i = 0; i < 512; i++) world.byte(i);
    assert.throws(() => world.mm.madvise(AT, PMD, MADV_COLLAPSE), /EINVAL/);
  });
  both(
    test,
    module,
    "MADV_PAGEOUT of a whole huge page, whose second half is zeros",
    (world) => {
      world.map(0, 512, true);
      world.fill(0, 256);
      world.events();
      world.mm.madvise(AT, PMD, MADV_PAGEOUT);
      return [world.mm.rss.swap, world.events().length, world.byte(255), world.byte(511)];
    },
    // 6.12: the split's two events, then one for each page that is not zero.
    { "6.12": [256, 258, 128, 0], "7.3": [512, 1, 128, 0] },
  );
  newer(test, module, "MADV_PAGEOUT of a part of a huge page splits it", (world) => {
    huge(world);
    world.mm.madvise(AT, 4 * P, MADV_PAGEOUT);
    assert.equal(world.events(), ["clear 0-512", "clear 0-1", "clear 1-2", "clear 2-3", "clear 3-4"]);
    assert.is(world.mm.rss.swap, 4);
  });
  newer(test, module, "a huge page that gets small destinations is split after it was unmapped", (world) => {
    assert.is(huge(world).toDevice(0, 512, "small"), 512);
    assert.equal(world.events(), ["migrate 0-512", "clear 0-512"]);
    assert.is(world.byte(511), 128);
  });
  newer(test, module, "without a large page for a fault only the touched page comes back", (world) => {
    onDevice(world);
    world.back = "small";
    assert.is(world.byte(100), 101);
    // The huge mapping falls apart; then the folio, since page 100 is not its first; then the page moves.
    const twice = ["migrate 0-512", "clear 0-512", "migrate 100-101", "clear 0-512", "migrate 100-101"];
    assert.equal(world.events(), twice);
    assert.is(world.devmem.usedPages, 511);
  });
  newer(test, module, "the first page of a split huge mapping comes back with one fault", (world) => {
    onDevice(world);
    world.mm.mprotect(AT + 8 * P, P, PROT_READ);
    world.events();
    assert.is(world.byte(0), 1);
    assert.equal(world.events(), ["migrate 0-1", "clear 0-8", "clear 8-9", "clear 9-512"]);
  });
  newer(test, module, "giving the device up brings a huge page back whole", (world) => {
    onDevice(world);
    using m = migrateDeviceRange(world.devmem, world.devmem.pfnFirst, world.devmem.npages);
    world.hmm.allocPages(m.src, m.dst);
    world.hmm.copyPages(m.src, m.dst);
    m.pages();
    m.finalize();
    assert.equal(world.events(), ["clear 0-512"]);
    assert.is(world.mm.lookupPte(AT)!.flags & 0x10000000, 0x10000000); // PTE_HUGE
    assert.is(world.devmem.usedPages, 0);
  });
  newer(test, module, "a pinned part keeps the whole folio, and ends the look at its 2 MiB", (world) => {
    huge(world);
    world.mm.madvise(AT + 500 * P, 12 * P, MADV_DONTNEED);
    world.fill(500, 12); // small pages, which could move
    using _pin = world.mm.pin(AT, 1);
    assert.is(world.toDevice(0, 512), 0);
    assert.is(world.devmem.usedPages, 0);
  });
}).run();
