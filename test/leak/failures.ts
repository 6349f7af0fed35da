/** Operations whose allocations fail-once.ts makes fail, one at a time. */
import { Dmirror, DmirrorDevice } from "../../src/dmirror.ts";
import {
  DeviceTable,
  hmmDevmemAdd,
  hmmDevmemRemove,
  HmmMirror,
  hmmMirrorRegister,
  HmmRange,
  hmmRangeFault,
  hmmVmaFault,
  hmmVmaRangeDone,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  MADV_DONTFORK,
  MADV_POPULATE_WRITE,
  makeDeviceExclusive,
  Memcg,
  migrateDeviceRange,
  migrateVma,
  migrateVmaSetup,
  MmuIntervalNotifier,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PAGE_SIZE,
  PROT_READ,
  type Hmm,
  type Mm,
} from "../../src/index.ts";
import { DelayedDevice } from "../../src/testing.ts";
import { TestGpu } from "../util/driver.ts";

/** Prepares and returns the operation. Adds to `held` the objects that hmm.close() does not close. */
export type Failure = (hmm: Hmm, held: { close(): void }[]) => () => unknown;

const GIB = 2 ** 30;
const HALF = 4 * PAGE_SIZE;
const PRIVATE = 0x22;
const FIXED = PRIVATE | 0x10;
const POPULATE = PRIVATE | 0x8000;

/** Eight pages, four on each side of a boundary between page tables; the first half is written. */
function space(hmm: Hmm, options: { memcg?: Memcg } = {}): { mm: Mm; addr: number; end: number } {
  const mm = hmm.createMm(options);
  const addr = GIB - HALF;
  mm.mmap({ length: 2 * HALF, addr, flags: FIXED });
  mm.write(addr, new Uint8Array(HALF).fill(1));
  return { mm, addr, end: addr + 2 * HALF };
}

/** Operations that leave memory unchanged if they fail. */
export const HARMLESS = /^(createMm|mmap$|munmap|mprotect|madvise|mlock|mremap to|fork)/;

/** Whether the first address space holds what space() wrote. */
export function isIntact(hmm: Hmm): boolean {
  const [mm] = hmm.mms();
  return mm === undefined || mm.vmas().length === 0 || mm.read(GIB - HALF, HALF).every((byte) => byte === 1);
}

/** Like space(), with the pages on a device. */
function onDevice(hmm: Hmm): ReturnType<typeof space> & { gpu: TestGpu } {
  const made = space(hmm);
  const gpu = new TestGpu(made.mm, 2 << 20);
  gpu.toDevice(made.addr, made.addr + HALF);
  return { ...made, gpu };
}

export const mappingFailures: Record<string, Failure> = {
  createMm: (hmm) => () => hmm.createMm(),
  "createMm in a new group": (hmm) => () => hmm.createMm({ memcg: new Memcg() }),
  mmap: (hmm) => {
    const { mm } = space(hmm);
    return () => mm.mmap({ length: PAGE_SIZE, addr: 4 * GIB });
  },
  "mmap over the middle of a mapping": (hmm) => {
    const { mm, addr } = space(hmm);
    return () => mm.mmap({ length: PAGE_SIZE, addr: addr + PAGE_SIZE, flags: FIXED, prot: PROT_READ });
  },
  "mmap that populates": (hmm) => {
    const { mm } = space(hmm);
    return () => mm.mmap({ length: HALF, addr: 2 * GIB - PAGE_SIZE, flags: POPULATE });
  },
  "munmap of the middle": (hmm) => {
    const { mm, addr } = space(hmm);
    return () => mm.munmap(addr + PAGE_SIZE, PAGE_SIZE);
  },
  "mprotect of the middle": (hmm) => {
    const { mm, addr } = space(hmm);
    return () => mm.mprotect(addr + PAGE_SIZE, PAGE_SIZE, PROT_READ);
  },
  "madvise of the middle": (hmm) => {
    const { mm, addr } = space(hmm);
    return () => mm.madvise(addr + PAGE_SIZE, PAGE_SIZE, MADV_DONTFORK);
  },
  "mlock of the middle": (hmm) => {
    const { mm, addr } = space(hmm);
    return () => mm.mlock(addr + 3 * PAGE_SIZE, 3 * PAGE_SIZE);
  },
  "mremap to somewhere else": (hmm) => {
    const { mm, addr } = space(hmm);
    return () => mm.mremap(addr + PAGE_SIZE, HALF, 2 * HALF, MREMAP_MAYMOVE);
  },
  "mremap onto another mapping": (hmm) => {
    const { mm, addr } = space(hmm);
    const onto = mm.mmap({ length: 3 * HALF, addr: 8 * GIB, flags: FIXED });
    mm.write(onto, new Uint8Array(3 * HALF));
    return () => mm.mremap(addr, HALF, HALF, MREMAP_MAYMOVE | MREMAP_FIXED, onto + HALF);
  },
  "fork of a family": (hmm) => {
    const { mm, addr } = space(hmm);
    mm.mprotect(addr, PAGE_SIZE, PROT_READ);
    const child = mm.fork();
    child.write(addr + PAGE_SIZE, new Uint8Array(HALF));
    return () => child.fork();
  },
  "fork of pages on a device": (hmm) => {
    const { mm } = onDevice(hmm);
    return () => mm.fork();
  },
};

export const faultFailures: Record<string, Failure> = {
  "a first write": (hmm) => {
    const { mm, end } = space(hmm);
    return () => mm.write(end - HALF, new Uint8Array(HALF));
  },
  "a first read": (hmm) => {
    const { mm, end } = space(hmm);
    return () => mm.read(end - HALF, HALF);
  },
  "a write to the zero page": (hmm) => {
    const { mm, end } = space(hmm);
    mm.read(end - HALF, HALF);
    return () => mm.write(end - HALF, new Uint8Array(HALF));
  },
  "copies on write": (hmm) => {
    const { mm, addr } = space(hmm);
    const child = mm.fork();
    new MmuIntervalNotifier(child, addr, HALF, { invalidate: () => undefined });
    return () => child.write(addr, new Uint8Array(HALF));
  },
  "a write by a member of a group": (hmm) => {
    const { mm, end } = space(hmm, { memcg: new Memcg({ limit: 8 }) });
    return () => mm.write(end - HALF, new Uint8Array(HALF));
  },
  populate: (hmm) => {
    const { mm, addr } = space(hmm);
    return () => mm.madvise(addr, 2 * HALF, MADV_POPULATE_WRITE);
  },
  "pins, for reading and writing": (hmm, held) => {
    const { mm, addr } = space(hmm);
    return () => {
      held.push(mm.pin(addr, 8));
      held.push(mm.pin(addr, 8, { write: true }));
    };
  },
  hmmVmaFault: (hmm) => {
    const { mm, addr, end } = space(hmm);
    hmmMirrorRegister(new HmmMirror({ update: () => undefined }), mm);
    return () => {
      using _sem = mm.mmapSem.read();
      const range = new HmmRange();
      const vma = mm.findVma(addr);
      if (hmmVmaFault(vma, range, addr, end, new Uint32Array(8), true, false) === 0)
        hmmVmaRangeDone(vma, range);
    };
  },
  hmmRangeFault: (hmm, held) => {
    const { mm, addr, end } = space(hmm);
    const defaultFlags = (HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE) >>> 0;
    return () => {
      using _sem = mm.mmapSem.read();
      const pfns = hmm.pfnArray(8);
      held.push(pfns);
      hmmRangeFault({ mm, start: addr, end, pfns, defaultFlags });
    };
  },
  translate: (hmm) => {
    const { mm, addr } = space(hmm);
    return () => mm.translate(Float64Array.of(addr, 0), new Uint32Array(2));
  },
  mincore: (hmm) => {
    const { mm, addr } = space(hmm);
    return () => mm.mincore(addr, HALF);
  },
  makeDeviceExclusive: (hmm, held) => {
    const { mm, addr } = space(hmm);
    mm.fork();
    return () => {
      using _sem = mm.mmapSem.read();
      held.push(makeDeviceExclusive(mm, addr, 8));
    };
  },
};

export const driverFailures: Record<string, Failure> = {
  arrays: (hmm, held) => () => held.push(hmm.pfnArray(10), hmm.addressArray(10)),
  "a mirror": (hmm) => {
    const { mm } = space(hmm);
    return () => hmmMirrorRegister(new HmmMirror({ update: () => undefined }), mm);
  },
  "a notifier": (hmm) => {
    const { mm, addr } = space(hmm);
    return () => new MmuIntervalNotifier(mm, addr, 1, { invalidate: () => undefined });
  },
  "a device table and its entries": (hmm) => {
    const { mm, addr } = space(hmm);
    return () => {
      const pfns = new Uint32Array(8);
      mm.translate(
        Float64Array.from({ length: 8 }, (_, i) => addr + i * PAGE_SIZE),
        pfns,
      );
      const table = new DeviceTable(mm);
      table.map(addr, pfns);
      table.snapshot(addr, 8);
    };
  },
  "migration to a device": (hmm) => {
    const { mm, addr, end } = space(hmm);
    const gpu = new TestGpu(mm, 2 << 20);
    return () => gpu.toDevice(addr, end);
  },
  "migration of shared pages": (hmm) => {
    const { mm, addr, end } = space(hmm);
    mm.fork().write(addr, new Uint8Array(PAGE_SIZE));
    const gpu = new TestGpu(mm, 2 << 20);
    return () => gpu.toDevice(addr, end);
  },
  "migration with the driver's own arrays": (hmm) => {
    const { mm, addr, end } = space(hmm);
    const devmem = hmmDevmemAdd(hmm, { fault: () => undefined }, {}, 2 << 20);
    const allocAndCopy = (_vma: unknown, src: Uint32Array, dst: Uint32Array): void => {
      devmem.allocPages(src, dst);
      hmm.copyPages(src, dst);
    };
    return () => {
      using _sem = mm.mmapSem.read();
      const call = {
        vma: mm.findVma(addr),
        start: addr,
        end,
        src: new Uint32Array(8),
        dst: new Uint32Array(8),
      };
      migrateVma({ allocAndCopy, finalizeAndMap: () => undefined }, call);
    };
  },
  "pages that come back one by one": (hmm) => {
    const { mm, addr } = onDevice(hmm);
    return () => mm.write(addr, new Uint8Array(2 * HALF));
  },
  "pages that come back as a range": (hmm) => {
    const { gpu } = onDevice(hmm);
    return () => {
      using m = migrateDeviceRange(gpu.devmem, gpu.devmem.pfnFirst, 8);
      hmm.allocPages(m.src, m.dst);
      hmm.copyPages(m.src, m.dst);
      m.pages();
    };
  },
  "a devmem that is removed": (hmm) => {
    const { gpu } = onDevice(hmm);
    return () => hmmDevmemRemove(gpu.devmem);
  },
  "a migration given up": (hmm) => {
    const { mm, addr, end } = space(hmm);
    return () => {
      using _sem = mm.mmapSem.read();
      using m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end });
      hmm.allocPages(m.src, m.dst);
    };
  },
  "the reference driver": (hmm, held) => {
    const { mm, addr } = space(hmm);
    return () => {
      const mirror = new Dmirror(mm, { deviceMemory: 2 << 20, faultPages: 4 });
      held.push(mirror);
      mirror.read(addr, 8);
      mirror.migrateToDevice(addr, 8);
      mirror.write(addr, new Uint8Array(2 * HALF));
      mirror.snapshot(addr, 8);
      mirror.migrateToSystem(addr, 4);
    };
  },
  "a reference device, evicted": (hmm, held) => {
    const { mm, addr } = space(hmm);
    const device = new DmirrorDevice(hmm, { memory: 2 << 20 });
    const mirror = new Dmirror(mm, { device });
    held.push(mirror, device);
    mirror.migrateToDevice(addr, 8);
    return () => device.evict();
  },
  "asynchronous faults": (hmm) => {
    const { mm, addr, end } = space(hmm);
    const device = new DelayedDevice(hmm, { memory: 2 << 20 });
    {
      using _sem = mm.mmapSem.read();
      using m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end });
      device.devmem.allocPages(m.src, m.dst);
      m.pages();
    }
    return () => device.settle(mm.writeAsync(addr, new Uint8Array(2 * HALF)));
  },
};
