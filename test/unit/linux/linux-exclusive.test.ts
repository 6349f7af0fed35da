/** Device-exclusive access under the rules of Linux 6.12 and 7.3. */
import * as assert from "uvu/assert";
import {
  makeDeviceExclusive,
  MAP_SHARED,
  MmuIntervalNotifier,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { AT } from "../../util/huge.ts";
import { both, newer, P, type World } from "./world.ts";

/** Takes n pages; returns how many, or the errno. */
function take({ mm }: World, page: number, n: number): number {
  using _sem = mm.mmapSem.read();
  try {
    using taken = makeDeviceExclusive(mm, AT + page * P, n);
    return taken.lent;
  } catch (error) {
    return -(error as { errno: number }).errno;
  }
}

onEachBuild("linux: exclusive access", (test, module) => {
  both(
    test,
    module,
    "pages are taken, and faulted in, up to the first that cannot be",
    (world) => {
      world.map(0, 4);
      world.mm.mprotect(AT + 2 * P, P, PROT_READ);
      const taken = take(world, 0, 4);
      // 6.12 faults all in before it takes the first; either way page 3 is not reached.
      return [taken, world.mm.rss.anon, world.events().filter((event) => event.startsWith("exclusive"))];
    },
    {
      "6.12": [2, 2, ["exclusive 0-1", "exclusive 1-2"]],
      "7.3": [2, 2, ["exclusive 0-1", "exclusive 1-2"]],
    },
  );
  newer(test, module, "a page is exclusive before the next is faulted in", (world) => {
    world.map(0, 2);
    const second: (number | undefined)[] = [];
    new MmuIntervalNotifier(world.mm, AT, P, {
      invalidate: () => void second.push(world.mm.lookupPte(AT + P)?.pfn),
    });
    take(world, 0, 2);
    assert.equal(second, [undefined]);
  });
  newer(test, module, "a call holds its pages, so that it copies other parts of a folio", (world) => {
    // One process has the four pages alone, but a fork has taken its right to write.
    const folio = (first: number): void => {
      world.map(first, 4);
      world.write(first);
      world.mm.fork().close();
      world.events();
    };
    world.hmm.setHugepages(16 << 10, "always");
    folio(0);
    // Page by page each page stays.
    take(world, 0, 1);
    take(world, 1, 1);
    assert.equal(world.events(), ["exclusive 0-1", "exclusive 1-2"]);
    folio(4);
    // Together, the first is held when the second is written.
    take(world, 4, 2);
    assert.equal(world.events(), ["exclusive 4-5", "clear 5-6", "exclusive 5-6"]);
  });
  newer(test, module, "a page that is not anonymous is refused by its errno", (world) => {
    world.mm.mmap({ addr: AT, length: P, flags: MAP_SHARED | 0x30 });
    assert.is(take(world, 0, 1), -95);
  });
  both(
    test,
    module,
    "taking again ends the first access page by page",
    (world) => {
      world.map(0, 2);
      take(world, 0, 2);
      world.events();
      take(world, 0, 2);
      return world.events();
    },
    {
      "6.12": ["exclusive 0-1", "exclusive 1-2", "exclusive 0-1", "exclusive 1-2"],
      "7.3": ["clear 0-1", "exclusive 0-1", "clear 1-2", "exclusive 1-2"],
    },
  );
  both(
    test,
    module,
    "the CPU takes a page back",
    (world) => {
      world.map(0, 1);
      take(world, 0, 1);
      world.events();
      world.byte(0);
      return world.events();
    },
    { "6.12": ["exclusive 0-1"], "7.3": ["clear 0-1"] },
  );
  both(
    test,
    module,
    "a page inside a huge page is taken alone",
    (world) => {
      world.map(0, 512, true);
      world.fill();
      world.events();
      return [take(world, 8, 1), world.events()];
    },
    { "6.12": [0, ["clear 0-512"]], "7.3": [1, ["clear 0-512", "exclusive 8-9"]] },
  );
  both(
    test,
    module,
    "protection comes and goes while a device has the page",
    (world) => {
      world.map(0, 1);
      take(world, 0, 1);
      world.mm.mprotect(AT, P, PROT_NONE);
      world.mm.mprotect(AT, P, PROT_READ | PROT_WRITE);
      world.byte(0);
      const { flags } = world.mm.lookupPte(AT)!;
      return (flags & 0x40000000) !== 0; // PTE_WRITE
    },
    { "6.12": false, "7.3": true },
  );
  both(
    test,
    module,
    "a fork ends exclusive access to a page that is pinned for long, and stays the parent's own",
    (world) => {
      world.map(0, 1);
      using _pin = world.mm.pin(AT, 1, { longTerm: true });
      take(world, 0, 1);
      world.mm.mprotect(AT, P, PROT_NONE);
      world.mm.mprotect(AT, P, PROT_READ | PROT_WRITE);
      world.mm.fork().close();
      const { flags } = world.mm.lookupPte(AT)!;
      return (flags & 0x40000000) !== 0; // PTE_WRITE
    },
    { "6.12": false, "7.3": true },
  );
  newer(
    test,
    module,
    "the split of a folio takes exclusive parts back, to read, and they migrate",
    (world) => {
      world.map(0, 512, true);
      world.fill();
      take(world, 8, 2);
      assert.is(world.toDevice(0, 512), 512);
      assert.is(world.devmem.usedPages, 512);
      assert.is(world.byte(8), 9);
    },
  );
}).run();
