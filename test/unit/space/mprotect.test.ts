/** mprotect changes several entries at a time, with the same result as one by one. */
import * as assert from "uvu/assert";
import {
  DeviceTable,
  Hmm,
  HmmMirror,
  HmmRange,
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  PAGE_SIZE,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  VM_FAULT_SIGBUS,
  hmmDevmemAdd,
  hmmMirrorRegister,
  hmmVmaGetPfns,
  hmmVmaRangeDone,
  migrateVma,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";

const MIB = 1 << 20;
/** More pages than a leaf table has entries, and not a multiple of four. */
const PAGES = 703;
const BYTES = PAGES * PAGE_SIZE;

/** Makes entries of all kinds in a mapping and a device's table, runs `protect`, and returns the result. */
function changed(module: WebAssembly.Module, prot: number, step: number): unknown {
  const hmm = Hmm.createSync(module, { systemMemory: 8 * MIB, deviceMemory: 2 * MIB });
  const owner = {};
  const devmem = hmmDevmemAdd(hmm, { fault: () => VM_FAULT_SIGBUS }, owner, 2 * MIB);
  const mm = hmm.createMm();
  const start = mm.mmap({ length: BYTES, prot: PROT_READ | PROT_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS });
  const at = (i: number): number => start + i * PAGE_SIZE;
  for (let i = 0; i < PAGES; i++) {
    if (i % 23 === 3)
      mm.load32(at(i)); // the zero page
    else mm.store32(at(i), i);
  }
  for (const i of [0, 5, 30, 31, 32, 33, 511, 512, 702]) mm.madvise(at(i), PAGE_SIZE, MADV_DONTNEED);

  const table = new DeviceTable(mm);
  hmmMirrorRegister(new HmmMirror({ update() {} }), mm);
  const pfns = hmm.pfnArray(PAGES);
  {
    using _sem = mm.mmapSem.read();
    const vma = mm.findVma(start)!;
    migrateVma(
      { allocAndCopy: (_vma, src, dst) => void devmem.allocPages(src, dst), finalizeAndMap() {} },
      { vma, start: at(600), end: at(611), select: MIGRATE_VMA_SELECT_SYSTEM, owner },
    );
    const range = new HmmRange();
    hmmVmaGetPfns(vma, range, start, start + BYTES, pfns);
    assert.ok(hmmVmaRangeDone(vma, range));
    table.map(start, pfns);
  }

  let readOnly = 0;
  for (let i = 0; i < PAGES; i += step) {
    const end = at(Math.min(i + step, PAGES));
    if (prot === PROT_NONE) table.clear(at(i), end);
    else readOnly += table.protect(at(i), end);
    mm.mprotect(at(i), end - at(i), prot);
  }
  const entries = Array.from({ length: PAGES }, (_, i) => mm.lookupPte(at(i)));
  const seen = { entries, device: [...table.snapshot(start, PAGES, pfns)], readOnly };
  hmm.verify();
  hmm.close();
  return seen;
}

onEachBuild("mprotect", (test, module) => {
  for (const [name, prot] of [
    ["PROT_READ", PROT_READ],
    ["PROT_NONE", PROT_NONE],
  ] as const) {
    test(`${name} for all at once is ${name} for each`, () => {
      const each = changed(module, prot, 1);
      assert.equal(changed(module, prot, PAGES), each);
      assert.equal(changed(module, prot, 10), each);
    });
  }
}).run();
