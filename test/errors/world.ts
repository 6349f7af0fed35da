/**
 * The receivers and arguments of the rows: an engine with one object of each kind, open and closed, and a
 * second engine.
 */
import {
  DeviceTable,
  Hmm,
  hmmDevmemAdd,
  HmmMirror,
  hmmMirrorRegister,
  HmmRange,
  makeDeviceExclusive,
  Memcg,
  migrateDeviceRange,
  migrateVmaSetup,
  MmuIntervalNotifier,
  PAGE_SIZE,
  type ExclusivePages,
  type HmmDevmem,
  type Migration,
  type Mm,
} from "../../src/index.ts";
import { Dmirror, DmirrorDevice } from "../../src/dmirror.ts";
import { Checkpoint, DelayedDevice, explore, Lock, Random, ScheduleError } from "../../src/testing.ts";

export const PAGES = 16;
const DEVICE_PAGES = 16;

/** The rules of 6.12 refuse what only 7.3 has. */
const CONFIG = {
  linux: "6.12",
  systemMemory: 96 * PAGE_SIZE,
  deviceMemory: 8 << 20,
  arena: 1 << 16,
  eventLog: 16,
  capacities: {
    mms: 16,
    vmas: 64,
    anonVmas: 32,
    anonVmaLinks: 64,
    pageTables: 96,
    notifiers: 16,
    memcgs: 8,
    files: 8,
    migrations: 8,
    deviceTables: 8,
  },
} as const;

const noFault = { fault: (): void => undefined };

/** Creates the objects of one engine. */
function makeEngine(hmm: Hmm) {
  const mm = hmm.createMm();
  const addr = mm.mmap({ length: PAGES * PAGE_SIZE });
  mm.write(addr, new Uint8Array(4 * PAGE_SIZE).fill(7));
  const readOnly = mm.mmap({ length: 4 * PAGE_SIZE, prot: 1, addr: addr - 64 * PAGE_SIZE });
  const mirror = new HmmMirror({ update: () => undefined });
  hmmMirrorRegister(mirror, mm);
  const notifier = new MmuIntervalNotifier(mm, addr, PAGES * PAGE_SIZE, { invalidate: () => undefined });
  const table = new DeviceTable(mm);
  const devmem = hmmDevmemAdd(hmm, noFault, {}, DEVICE_PAGES * PAGE_SIZE);
  moveToDevice(hmm, mm, devmem, addr + 2 * PAGE_SIZE);
  const file = hmm.createFile({ bytes: 4 * PAGE_SIZE });
  const memcg = new Memcg();
  const charged = hmm.createMm({ memcg });
  const device = new DmirrorDevice(hmm, { memory: 2 << 20 });
  const delayed = new DelayedDevice(hmm, { memory: 2 << 20 });
  return { hmm, mm, addr, readOnly, mirror, notifier, table, devmem, memcg, charged, device, delayed, file };
}

function moveToDevice(hmm: Hmm, mm: Mm, devmem: HmmDevmem, start: number): void {
  using _sem = mm.mmapSem.read();
  using m = migrateVmaSetup({ vma: mm.findVma(start), start, end: start + 2 * PAGE_SIZE });
  devmem.allocPages(m.src, m.dst);
  hmm.copyPages(m.src, m.dst);
  m.pages();
}

/** Opens a migration in an address space of its own. */
function openMigration(hmm: Hmm): { mm: Mm; addr: number; migration: Migration } {
  const mm = hmm.createMm();
  const addr = mm.mmap({ length: 4 * PAGE_SIZE });
  mm.write(addr, new Uint8Array(2 * PAGE_SIZE).fill(3));
  using _sem = mm.mmapSem.read();
  const migration = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + 4 * PAGE_SIZE });
  return { mm, addr, migration };
}

/** Creates and closes an object of each kind. */
function makeClosed(hmm: Hmm) {
  const mm = hmm.createMm();
  const addr = mm.mmap({ length: PAGE_SIZE });
  const vma = mm.findVma(addr)!;
  const pin = mm.pin(addr, 1);
  pin.close();
  const { mm: migrated, migration } = openMigration(hmm);
  migration.close();
  migrated.close();
  const table = new DeviceTable(mm);
  const notifier = new MmuIntervalNotifier(mm, addr, PAGE_SIZE, { invalidate: () => undefined });
  const mirror = new HmmMirror({ update: () => undefined });
  const device = new DmirrorDevice(hmm, { memory: 2 << 20 });
  const dmirror = new Dmirror(mm, { device });
  dmirror.close();
  device.close();
  // Each device gets the memory that the device before it freed.
  const delayed = new DelayedDevice(hmm, { memory: 2 << 20 });
  delayed.close();
  const devmem = hmmDevmemAdd(hmm, noFault, {}, 2 << 20);
  const pfns = hmm.pfnArray(PAGES);
  const addresses = hmm.addressArray(PAGES);
  const memcg = new Memcg({ limit: 4 });
  hmm.createMm({ memcg }).close();
  const lent = lend(mm);
  const file = hmm.createFile();
  const guard = mm.mmapSem.read();
  guard.close();
  for (const object of [lent, file, table, notifier, devmem, pfns, addresses, memcg, mm]) object.close();
  const ended = { lent, file, mm, vma, pin, migration, table, notifier, mirror, guard };
  return { ...ended, device, dmirror, delayed, devmem, pfns, addresses, memcg };
}

let scheduleError: ScheduleError | undefined;

/**
 * Returns explore()'s error for an agent that fails. All worlds share the error, since nothing changes it.
 */
function failedSchedule(): ScheduleError {
  scheduleError ??= exploreFailure();
  return scheduleError;
}

function exploreFailure(): ScheduleError {
  const failing = function* (): Generator<string, void, void> {
    yield "fail";
    throw new Error("on purpose");
  };
  try {
    explore({ failing }, { setup: () => 0 });
  } catch (error) {
    if (error instanceof ScheduleError) return error;
  }
  throw new Error("explore() has not found the failure");
}

/** Makes a page device-exclusive. */
function lend(mm: Mm): ExclusivePages {
  const addr = mm.mmap({ length: PAGE_SIZE });
  using _sem = mm.mmapSem.read();
  return makeDeviceExclusive(mm, addr, 1);
}

export type World = ReturnType<typeof makeWorld>;

/**
 * Opens migrations of the main address space: one that has moved its page, one that has not, and one of a
 * device's pages.
 */
export function prepareMigrations(w: World): void {
  const { mm, addr, hmm, devmem } = w;
  using _sem = mm.mmapSem.read();
  const at = (page: number): Migration =>
    migrateVmaSetup({
      vma: mm.findVma(addr),
      start: addr + page * PAGE_SIZE,
      end: addr + (page + 1) * PAGE_SIZE,
    });
  w.moved = at(1);
  devmem.allocPages(w.moved.src, w.moved.dst);
  hmm.copyPages(w.moved.src, w.moved.dst);
  w.moved.pages();
  w.unmoved = at(5);
  w.deviceMigration = migrateDeviceRange(devmem, devmem.pfnFirst, 1);
}

type Other = ReturnType<typeof makeEngine> & { migration: Migration };
const others = new Map<WebAssembly.Module, Other>();

/**
 * Returns an engine whose objects are foreign to every world. All worlds share it, since nothing changes it.
 */
function otherEngine(module: WebAssembly.Module): Other {
  const known = others.get(module);
  if (known !== undefined) return known;
  const engine = makeEngine(Hmm.createSync(module, CONFIG));
  const other = { ...engine, migration: openMigration(engine.hmm).migration };
  others.set(module, other);
  return other;
}

const points = new Map<WebAssembly.Module, Checkpoint>();

/** Returns a checkpoint of an engine of its own. All worlds share it: it can be rewound again and again. */
function pointOf(module: WebAssembly.Module): Checkpoint {
  const known = points.get(module);
  if (known !== undefined) return known;
  const point = new Checkpoint(makeEngine(Hmm.createSync(module, CONFIG)).hmm);
  points.set(module, point);
  return point;
}

export function makeWorld(module: WebAssembly.Module) {
  const hmm = Hmm.createSync(module, CONFIG);
  const closed = makeClosed(hmm);
  const engine = makeEngine(hmm);
  const { mm, addr } = engine;
  const other = otherEngine(module);
  const open = openMigration(hmm);
  const pfns = hmm.pfnArray(PAGES);
  const addresses = hmm.addressArray(4);
  addresses.fill(addr);
  const spare = hmm.createMm();
  const lent = lend(spare);
  const held = hmm.allocPage();
  const free = hmm.allocPage();
  hmm.pageUnlock(free);
  hmm.pagePut(free);
  const invalidate = (): void => world.onInvalidate?.();
  const outside = new MmuIntervalNotifier(mm, engine.readOnly, PAGE_SIZE, { invalidate }, { id: "outside" });
  const mappedPin = mm.pin(addr + PAGE_SIZE, 1);
  const mapped = mappedPin.pages[0];
  mappedPin.close();
  const world = {
    module,
    ...engine,
    closed,
    other,
    point: pointOf(module),
    migration: open.migration,
    /** The address space of the open migration. */
    migrating: open.mm,
    migratingAddr: open.addr,
    pfns,
    addresses,
    /**
     * Pages of system memory: free, locked and referenced, mapped, and nonexistent.
     */
    pages: { free, held, mapped, none: 300 },
    end: addr + PAGES * PAGE_SIZE,
    vma: mm.findVma(addr)!,
    range: new HmmRange(),
    pin: mm.pin(addr, 1),
    spare,
    guard: engine.charged.mmapSem.read(),
    dmirror: new Dmirror(mm, { device: engine.device }),
    result: open.migration.result,
    lent,
    random: new Random(1),
    lock: new Lock(),
    failure: failedSchedule(),
    spareMemcg: new Memcg(),
    /** Open migrations, in the rows that prepare them. */
    moved: null as Migration | null,
    unmoved: null as Migration | null,
    deviceMigration: null as Migration | null,
    /** A notifier of the read-only mapping, and the action of its callback. */
    outside,
    onInvalidate: null as (() => void) | null,
  };
  return world;
}

/** Returns the lists and locks in JavaScript, which a refused call must not change. */
export function javascriptState(w: World): unknown {
  const { hmm } = w;
  const mms = hmm.mms();
  return {
    mms: mms.map((mm) => [mm.id, mm.mmapSem.mode, mm.mmapSem.holders]),
    migrations: hmm.migrations().map(({ id }) => id),
    tables: hmm.deviceTables().map(({ entries }) => entries),
    devmems: hmm.devmems().map(({ id, freePages }) => [id, freePages]),
    mirrors: hmm.mirrors().map(({ id }) => id),
    notifiers: hmm.notifiers().map(({ id }) => id),
    memcgs: hmm.memcgs().map(({ limit, usage }) => [limit, usage]),
    pending: w.delayed.pending.length,
    range: [w.range.tracked, w.range.start, w.range.end],
    memory: w.other.hmm.stats,
  };
}

/** Returns the engine's live linear memory. */
export function linearMemory(w: World): Uint8Array {
  return new Uint8Array(w.pfns.buffer);
}
