/** Drivers that throw wherever they are called. */
import * as assert from "uvu/assert";
import {
  hmmDevmemAdd,
  HmmMirror,
  hmmMirrorRegister,
  migrateVma,
  migrateVmaAsync,
  MREMAP_MAYMOVE,
  PAGE_SIZE,
  PROT_READ,
  type Mm,
} from "../../src/index.ts";
import { errorOf, rejectionOf } from "../util/driver.ts";
import { populated, setup, type Scenario } from "./scenario.ts";

const boom = (): never => {
  throw new Error("the driver is broken");
};
const isBoom = (body: () => unknown): void => {
  const error = errorOf(body);
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  assert.match(String(first), /the driver is broken/);
};

export const broken: Record<string, Scenario> = {
  "update and release throw"(hmm) {
    const { mm, addr, end } = populated(hmm, 8);
    const mirror = new HmmMirror({ update: boom, release: boom });
    hmmMirrorRegister(mirror, mm);
    let child: Mm | undefined;
    isBoom(() => (child = mm.fork()));
    assert.is(child, undefined);
    isBoom(() => mm.munmap(addr, PAGE_SIZE));
    isBoom(() => mm.mprotect(addr + PAGE_SIZE, 2 * PAGE_SIZE, PROT_READ));
    isBoom(() => setup(mm, addr + 4 * PAGE_SIZE, end));
    isBoom(() => mm.pin(end - PAGE_SIZE, 1, { write: true }));
    isBoom(() => mm.mremap(end - 2 * PAGE_SIZE, PAGE_SIZE, 4 * PAGE_SIZE, MREMAP_MAYMOVE));
    assert.is(hmm.migrations().length, 0);
    for (const other of hmm.mms()) if (other !== mm) other.close();
    isBoom(() => mm.close());
  },
  "fault and free throw"(hmm) {
    const { mm, addr } = populated(hmm, 8);
    const devmem = hmmDevmemAdd(hmm, { fault: boom, free: boom }, {}, 2 << 20);
    const m = setup(mm, addr, addr + 4 * PAGE_SIZE);
    devmem.allocPages(m.src, m.dst);
    {
      using _sem = mm.mmapSem.read();
      m.pages();
    }
    m.close();
    assert.match(String(errorOf(() => mm.read(addr, 1))), /SIGBUS/);
    assert.match(String(errorOf(() => mm.pin(addr - 0, 1))), /SIGBUS/);
    isBoom(() => mm.munmap(addr, PAGE_SIZE));
    isBoom(() => mm.close());
    devmem.close();
  },
  "allocAndCopy and finalizeAndMap throw"(hmm) {
    const { mm, addr, end } = populated(hmm, 8);
    const devmem = hmmDevmemAdd(hmm, { fault: () => undefined }, {}, 2 << 20);
    using sem = mm.mmapSem.read();
    const vma = mm.findVma(addr);
    const alloc = (_vma: unknown, src: Uint32Array, dst: Uint32Array): void =>
      void devmem.allocPages(src, dst);
    for (const arrays of [{}, { src: new Uint32Array(8), dst: new Uint32Array(8) }]) {
      const call = { vma, start: addr, end, ...arrays };
      isBoom(() => migrateVma({ allocAndCopy: boom, finalizeAndMap: boom }, call));
      const late = (...[, src, dst]: [unknown, Uint32Array, Uint32Array]): never => (
        alloc(vma, src, dst),
        boom()
      );
      isBoom(() => migrateVma({ allocAndCopy: late, finalizeAndMap: boom }, call));
      isBoom(() => migrateVma({ allocAndCopy: alloc, finalizeAndMap: boom }, call));
    }
    sem.close();
    mm.close();
    devmem.close();
  },
  async "the same, later"(hmm) {
    const { mm, addr, end } = populated(hmm, 8);
    const devmem = hmmDevmemAdd(hmm, { fault: () => undefined, faultAsync: async () => boom() }, {}, 2 << 20);
    const sem = mm.mmapSem.read();
    const call = { vma: mm.findVma(addr), start: addr, end };
    const alloc = (_vma: unknown, src: Uint32Array, dst: Uint32Array): void =>
      void devmem.allocPages(src, dst);
    const later = async (): Promise<void> => boom();
    await rejectionOf(() => migrateVmaAsync({ allocAndCopy: later, finalizeAndMap: later }, call));
    await rejectionOf(() => migrateVmaAsync({ allocAndCopy: alloc, finalizeAndMap: later }, call));
    sem.close();
    assert.match(String(await rejectionOf(() => mm.readAsync(addr, 8))), /SIGBUS/);
    assert.match(String(await rejectionOf(() => mm.faultAsync(addr, { write: true }))), /SIGBUS/);
    mm.close();
    devmem.close();
  },
};
