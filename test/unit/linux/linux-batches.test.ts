/** Pages that Linux 7.3 lets go later or sooner than 6.12: those of locked mappings, and swapped ones. */
import * as assert from "uvu/assert";
import {
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_MERGEABLE,
  MADV_PAGEOUT,
  MADV_WILLNEED,
  PROT_READ,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { AT } from "../../util/huge.ts";
import { both, newer, P, type World } from "./world.ts";

/** n locked pages on the device, and mappings of one page behind, at pages n + 1, n + 3 and n + 5. */
function locked(world: World, n: number): void {
  world.map(0, n);
  world.mm.mlock(AT, n * P);
  assert.is(world.toDevice(0, n), n);
  for (const page of [n + 1, n + 3, n + 5]) world.map(page, 1);
}

const unmap = ({ mm }: World, page: number, n = 1): void => mm.munmap(AT + page * P, n * P);

onEachBuild("linux: batches", (test, module) => {
  both(
    test,
    module,
    "a device's page that leaves a locked mapping is in use until the next munmap",
    (world) => {
      locked(world, 3);
      unmap(world, 1);
      const used = world.devmem.usedPages;
      unmap(world, 4);
      return [used, world.devmem.usedPages];
    },
    { "6.12": [2, 2], "7.3": [3, 2] },
  );

  newer(test, module, "a batch of 31 pages is full, whether they are on the device or not", (world) => {
    locked(world, 40);
    unmap(world, 0, 30);
    assert.is(world.devmem.usedPages, 40);
    unmap(world, 41); // drains
    assert.is(world.devmem.usedPages, 10);
    world.map(60, 40);
    world.mm.mlock(AT + 60 * P, 40 * P);
    assert.is(world.toDevice(68, 100), 32); // pages 60 to 67 are in system memory
    unmap(world, 60, 40);
    // 8 and 23 pages fill a batch; 9 of the device's pages are in the next.
    assert.is(world.devmem.usedPages, 10 + 9);
  });

  newer(test, module, "a mapping that is not locked lets its pages go at once", (world) => {
    locked(world, 2);
    world.mm.munlock(AT, 2 * P);
    unmap(world, 0);
    assert.is(world.devmem.usedPages, 1);
  });

  const drains: [name: string, act: (world: World) => void][] = [
    ["MADV_DONTNEED", ({ mm }) => mm.madvise(AT + 5 * P, P, MADV_DONTNEED)],
    ["MADV_FREE", ({ mm }) => mm.madvise(AT + 5 * P, P, MADV_FREE)],
    ["MADV_COLD", ({ mm }) => mm.madvise(AT + 5 * P, P, MADV_COLD)],
    ["MADV_PAGEOUT", ({ mm }) => mm.madvise(AT + 5 * P, P, MADV_PAGEOUT)],
    ["mlock", ({ mm }) => mm.mlock(AT + 5 * P, P)],
    ["a migration", (world) => void world.toDevice(5, 6)],
    ["a fault on a page of the device", (world) => void world.byte(0)],
    ["the end of the address space", ({ mm }) => mm.close()],
    [
      "MADV_COLLAPSE",
      ({ mm }) => {
        mm.madvise(AT + 512 * P, 512 * P, MADV_HUGEPAGE);
        mm.madvise(AT + 512 * P, 512 * P, MADV_COLLAPSE);
      },
    ],
    [
      "a scan of KSM",
      ({ hmm, mm }) => {
        mm.madvise(AT + 5 * P, P, MADV_MERGEABLE);
        hmm.ksmScan(1);
      },
    ],
  ];
  for (const [name, act] of drains)
    newer(test, module, `${name} drains the batch`, (world) => {
      locked(world, 4);
      world.map(512, 512);
      world.write(512);
      unmap(world, 3);
      const before = world.devmem.usedPages;
      assert.is(before, 4);
      act(world);
      const left = world.mm.closed ? 0 : name === "a migration" ? 4 : name.startsWith("a fault") ? 2 : 3;
      assert.is(world.devmem.usedPages, left);
    });

  newer(test, module, "reading, mprotect and a migration that finds nothing do not", (world) => {
    locked(world, 4);
    unmap(world, 3);
    world.write(5);
    world.byte(7);
    world.mm.mprotect(AT + 5 * P, P, PROT_READ);
    world.toSystem(5, 6);
    assert.is(world.devmem.usedPages, 4);
  });

  both(
    test,
    module,
    "a page that comes back with its slot's last entry is the process's own",
    (world) => {
      const { mm, hmm } = world;
      world.map(0, 1);
      world.write(0);
      mm.madvise(AT, P, MADV_PAGEOUT);
      const child = mm.fork();
      mm.munmap(AT, P); // only the child's entry names the slot now
      child.madvise(AT, P, MADV_WILLNEED);
      assert.is(world.byte(0, child), 1);
      const before = child.faults.total;
      world.write(0, child);
      const faults = child.faults.total - before;
      hmm.verify();
      return faults;
    },
    // In 6.12 the swap cache has a reference, so that the write must find out that nobody else has one.
    { "6.12": 1, "7.3": 0 },
  );
}).run();
