/** The core copies pages that are a multiple of 256 MiB apart in a different way. */
import * as assert from "uvu/assert";
import {
  Hmm,
  hmmDevmemAdd,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";

const MIB = 1 << 20;
const PRIVATE = { prot: PROT_READ | PROT_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS };
const WORDS = PAGE_SIZE / 4;

onEachBuild("copies of pages", (test, module) => {
  test("a copy on write has every byte, 256 MiB from its original and elsewhere", () => {
    const hmm = Hmm.createSync(module, { systemMemory: 264 * MIB, deviceMemory: 0 });
    const parent = hmm.createMm();
    const start = parent.mmap({ length: 256 * MIB, ...PRIVATE });
    parent.populate(start, 256 * MIB);
    for (let i = 0; i < 2 * WORDS; i++) parent.store32(start + 4 * i, Math.imul(0x9e3779b9, i + 1));
    const child = parent.fork();
    const distance = (page: number): number =>
      child.lookupPte(start + page * PAGE_SIZE)!.pfn - parent.lookupPte(start + page * PAGE_SIZE)!.pfn;

    // Two more pages, so that the next frame lies 256 MiB away.
    for (const i of [1000, 1001]) child.store32(start + i * PAGE_SIZE, 7);
    child.store32(start, 7);
    assert.is(distance(0), 65536);
    child.store32(start + 2 * PAGE_SIZE, 7);
    child.store32(start + PAGE_SIZE, 7);
    assert.is(distance(1), 65537);

    const page = (mm: typeof child, i: number): Uint32Array =>
      Uint32Array.from({ length: WORDS }, (_, j) => mm.load32(start + i * PAGE_SIZE + 4 * j));
    for (const i of [0, 1]) {
      const original = page(parent, i);
      assert.is(original[WORDS - 1], Math.imul(0x9e3779b9, (i + 1) * WORDS) >>> 0);
      original[0] = 7;
      assert.equal(page(child, i), original);
    }
    hmm.verify();
    hmm.close();
  });

  test("device memory begins 4 MiB later above 128 MiB of system memory, and right above less", () => {
    for (const [size, pages] of [
      [126 * MIB, 0],
      [128 * MIB, 1024],
    ] as const) {
      const hmm = Hmm.createSync(module, { systemMemory: size, deviceMemory: 2 * MIB, backing: "metadata" });
      const callbacks = { free: () => undefined, fault: () => assert.unreachable() };
      const devmem = hmmDevmemAdd(hmm, callbacks, {}, 2 * MIB);
      const page = devmem.allocPage();
      // The two frames below system memory are unused; device memory begins with the first frame of a huge
      // page.
      const above = Math.ceil((2 + size / PAGE_SIZE) / 512) * 512;
      assert.is(page, above + pages);
      hmm.verify();
      hmm.pageUnlock(page);
      hmm.pagePut(page);
      hmm.close();
    }
  });
}).run();
