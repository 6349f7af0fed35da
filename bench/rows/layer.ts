/**
 * P17: what the TypeScript layer adds to one-page calls. Each is compared with the calls of the core that it
 * makes, made directly (recorded.ts). mitata measures, as for P9.
 */
import {
  DeviceTable,
  HMM_PFN_REQ_FAULT,
  HmmMirror,
  HmmRange,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  MmuIntervalNotifier,
  PROT_READ,
  PROT_WRITE,
  hmmMirrorRegister,
  hmmRangeFault,
  hmmVmaFault,
  hmmVmaRangeDone,
  migrateVmaSetup,
} from "../../src/index.ts";
import type { Hmm, Mm } from "../../src/index.ts";
import { answersAsRecorded, compileCalls, namesOf, recordCalls } from "../recorded.ts";
import { BenchDevice, MIB, PAGE, PRIVATE, createEngine } from "../engine.ts";
import type { Result, Row, Side } from "../harness.ts";
import { mitataSide } from "../mitata-side.ts";

const TARGET = 2;

/** A process with 16 pages of RAM at `start`, and a device. Never closed: calls may still hold the lock. */
interface World {
  readonly hmm: Hmm;
  readonly mm: Mm;
  readonly device: BenchDevice;
  readonly start: number;
  readonly end: number;
}

export async function createWorld(): Promise<World> {
  const hmm = await createEngine({ systemMemory: 4 * MIB, deviceMemory: 4 * MIB });
  const mm = hmm.createMm();
  const start = mm.mmap({ length: 16 * PAGE, ...PRIVATE });
  mm.populate(start, 16 * PAGE);
  const device = new BenchDevice(hmm, 4 * MIB, { copies: false });
  return { hmm, mm, device, start, end: start + PAGE };
}

/** Makes a call that does the same each time, and returns the same. */
type Prepare = (world: World) => () => number;

/** hmmVmaFault of one present page, then hmmVmaRangeDone. */
const vmaFault: Prepare = ({ hmm, mm, start, end }) => {
  hmmMirrorRegister(new HmmMirror({ update() {} }), mm);
  const range = new HmmRange();
  const pfns = hmm.pfnArray(1);
  mm.mmapSem.read();
  const vma = mm.findVma(start)!;
  return () => {
    const answer = hmmVmaFault(vma, range, start, end, pfns, false, false);
    return hmmVmaRangeDone(vma, range) ? answer : -1;
  };
};

/** readBegin, hmmRangeFault of one present page, readRetry, and the device's table. */
const rangeFault: Prepare = ({ hmm, mm, start, end }) => {
  const notifier = new MmuIntervalNotifier(mm, start, PAGE, { invalidate: () => true });
  const table = new DeviceTable(mm);
  const pfns = hmm.pfnArray(1);
  mm.mmapSem.read();
  return () => {
    const notifierSeq = notifier.readBegin();
    hmmRangeFault({ notifier, notifierSeq, start, end, pfns, defaultFlags: HMM_PFN_REQ_FAULT });
    return notifier.readRetry(notifierSeq) ? -1 : table.map(start, pfns);
  };
};

/** One page moves to the device and back by the 2018 call. */
const migrateVmaBoth: Prepare = ({ mm, device, start, end }) => {
  hmmMirrorRegister(new HmmMirror({ update() {} }), mm);
  return () => device.toDevice(mm, start, end) + device.toSystem(mm, start, end);
};

/** One page moves to the device and back in the steps of today's protocol. */
const migrateSteps: Prepare = ({ hmm, mm, device, start, end }) => {
  const { devmem } = device;
  mm.mmapSem.read();
  const vma = mm.findVma(start)!;
  return () => {
    const there = migrateVmaSetup({ vma, start, end, select: MIGRATE_VMA_SELECT_SYSTEM, owner: devmem });
    devmem.allocPages(there.src, there.dst);
    there.pages();
    there.finalize();
    const select = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
    const back = migrateVmaSetup({ vma, start, end, select, owner: devmem });
    hmm.allocPages(back.src, back.dst);
    const moved = back.pages();
    back.finalize();
    return moved;
  };
};

/** A page is mapped and unmapped. */
const mmapMunmap: Prepare =
  ({ mm }) =>
  () => {
    const address = mm.mmap({ length: PAGE, ...PRIVATE });
    mm.munmap(address, PAGE);
    return address % 0xffffffff;
  };

/** A page becomes read-only and writable again, alone in its mapping. */
const mprotectBoth: Prepare = ({ mm }) => {
  const address = mm.mmap({ length: PAGE, prot: PROT_READ | PROT_WRITE, flags: PRIVATE.flags });
  mm.store32(address, 1);
  return () => {
    mm.mprotect(address, PAGE, PROT_READ);
    mm.mprotect(address, PAGE, PROT_READ | PROT_WRITE);
    return 0;
  };
};

/** A page is pinned and the pin closed. */
const pinClose: Prepare =
  ({ mm, start }) =>
  () => {
    const pin = mm.pin(start, 1, { write: true });
    const { npages } = pin;
    pin.close();
    return npages;
  };

/** The mapping of an address is looked up. */
const findVma: Prepare =
  ({ mm, start }) =>
  () =>
    mm.findVma(start) === null ? 0 : 1;

/** A page is read and written as bytes. */
const readWrite: Prepare = ({ mm, start }) => {
  const bytes = new Uint8Array(64);
  return () => {
    mm.read(start, bytes);
    mm.write(start, bytes);
    return bytes[0];
  };
};

/** The entries of a page in a device's table are protected, looked up and dropped. */
const tableCalls: Prepare = ({ hmm, mm, start, end }) => {
  const table = new DeviceTable(mm);
  const pfns = hmm.pfnArray(1);
  const sem = mm.mmapSem.read();
  hmmRangeFault({ mm, start, end, pfns, defaultFlags: HMM_PFN_REQ_FAULT });
  sem.close();
  return () => {
    table.map(start, pfns);
    table.protect(start, end);
    table.lookup(start);
    return table.clear(start, end);
  };
};

export const CALLS: Readonly<Record<string, Prepare>> = {
  "hmmVmaFault, done": vmaFault,
  "hmmRangeFault, map": rangeFault,
  "migrateVma, both ways": migrateVmaBoth,
  "setup…finalize, both ways": migrateSteps,
  "mmap, munmap": mmapMunmap,
  "mprotect, both ways": mprotectBoth,
  "pin, close": pinClose,
  findVma: findVma,
  "read, write": readWrite,
  "table map…clear": tableCalls,
};

const row: Row = {
  title: "one-page calls from TypeScript, and the calls of the core that they make",
  unit: "call",
  async run(context) {
    const results: Result[] = [];
    for (const [name, prepare] of Object.entries(CALLS)) {
      const recorded = await createWorld();
      const call = prepare(recorded);
      call(); // the first call may differ: it fills the layer's caches
      const calls = recordCalls(recorded.hmm, call);

      const world = await createWorld();
      const measured = prepare(world);
      const expected = measured();
      const bare = compileCalls(world.hmm, calls);
      const core: Side = mitataSide(bare, context.smoke, () =>
        answersAsRecorded(world.hmm, calls) ? expected : -1,
      );
      results.push(
        ...(await context.compare({
          ours: mitataSide(measured, context.smoke, measured),
          units: 1,
          rivals: [{ name, target: TARGET, sides: [core] }],
        })),
      );
      context.note(`${name}: ${namesOf(calls)}`);
      world.hmm.verify();
    }
    return results;
  },
};
export default row;
