import * as assert from "uvu/assert";
import {
  Hmm,
  MADV_COLD,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  makeDeviceExclusive,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
  type LinuxVersion,
  type Mm,
} from "../../../src/index.ts";
import { Dmirror, DmirrorDevice } from "../../../src/dmirror.ts";
import { pageInfo } from "../../golden/inspect.ts";
import { onEachBuild } from "../../util/builds.ts";

const MIB = 1 << 20;
const PRIVATE = { prot: PROT_READ | PROT_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS };

/** Creates two pages that hold 1, written by the CPU. */
function written(mm: Mm): number {
  const addr = mm.mmap({ length: 2 * PAGE_SIZE, ...PRIVATE });
  mm.write(addr, new Uint8Array(2 * PAGE_SIZE).fill(1));
  return addr;
}

/** Returns PG_referenced of the page at each of two addresses. */
function referenced(mm: Mm, addr: number): boolean[] {
  return [addr, addr + PAGE_SIZE].map((at) => pageInfo(mm.hmm, mm.lookupPte(at)!.pfn).referenced);
}

onEachBuild("PG_referenced", (test, module) => {
  const engine = (linux: LinuxVersion = "7.3"): Hmm =>
    Hmm.createSync(module, { systemMemory: 8 * MIB, deviceMemory: 4 * MIB, swap: MIB, linux });

  // Exclusive access of 6.12 and of 7.3 are different code.
  for (const linux of ["6.12", "7.3"] as const)
    test(`get_user_pages marks a page, a CPU access does not, ${linux}`, () => marks(engine(linux)));

  function marks(hmm: Hmm): void {
    const mm = hmm.createMm();
    const addr = written(mm);
    mm.read(addr, 2 * PAGE_SIZE);
    assert.equal(referenced(mm, addr), [false, false]);
    mm.pin(addr, 1).close();
    assert.equal(referenced(mm, addr), [true, false]);

    for (const touch of [
      (at: number) => mm.madvise(at, PAGE_SIZE, MADV_POPULATE_READ),
      (at: number) => mm.madvise(at, PAGE_SIZE, MADV_POPULATE_WRITE),
      (at: number) => mm.mlock(at, PAGE_SIZE),
      (at: number) => mm.read(at, 1, { force: true }),
      (at: number) => {
        using _sem = mm.mmapSem.read();
        makeDeviceExclusive(mm, at, 1).close();
      },
    ]) {
      const other = written(mm);
      touch(other);
      assert.equal(referenced(mm, other), [true, false], touch.toString());
    }
    hmm.verify();
  }

  test("the mark moves with the page and is visible after fork; a copy is not marked", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const gpu = new Dmirror(mm, { device: new DmirrorDevice(hmm, { memory: 2 * MIB }) });
    const addr = written(mm);
    mm.pin(addr, 1).close();
    gpu.migrateToDevice(addr, 2);
    assert.ok(hmm.isDevicePage(mm.lookupPte(addr)!.pfn));
    assert.equal(referenced(mm, addr), [true, false]);
    const child = mm.fork();
    assert.equal(referenced(child, addr), [true, false]);
    child.write(addr, Uint8Array.of(2));
    assert.equal(referenced(child, addr), [false, false]);
    mm.read(addr, PAGE_SIZE);
    assert.equal(referenced(mm, addr), [true, false]);
    hmm.verify();
  });

  test("MADV_COLD and MADV_PAGEOUT clear the mark", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    for (const advice of [MADV_COLD, MADV_PAGEOUT]) {
      hmm.swapOn = false;
      const addr = written(mm);
      mm.pin(addr, 2).close();
      mm.madvise(addr, PAGE_SIZE, advice);
      assert.equal(referenced(mm, addr), [false, true]);
    }
    hmm.verify();
  });
}).run();
