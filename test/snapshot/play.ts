/**
 * A play in small steps: two devices, a mirror, a notifier, a family of address spaces, and migrations whose
 * stages are steps of their own. Between any two steps a restored engine may replace the engine: the steps
 * find everything through the engine, and the callbacks belong to the player.
 */
import * as assert from "uvu/assert";
import {
  DeviceTable,
  Hmm,
  hmmDevmemAdd,
  HmmMirror,
  hmmMirrorRegister,
  Memcg,
  migrateDeviceRange,
  migrateVmaSetup,
  MIGRATE_PFN_VALID,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MmuIntervalNotifier,
  PAGE_SIZE,
  PROT_READ,
  VM_FAULT_SIGBUS,
  type HmmDevmem,
  type HmmDevmemOps,
  type HmmMirrorOps,
  type Migration,
  type Mm,
  type MmuIntervalNotifierOps,
  type RestoreAttachments,
} from "../../src/index.ts";
import { pattern } from "../util/driver.ts";

const PAGES = 8;
const ADDR = 2 ** 40;
const P = PAGE_SIZE;
const FIXED = 0x32;
/** Small, since snapshots are compared after every step. */
const CONFIG = {
  systemMemory: 64 * P,
  deviceMemory: 4 << 20,
  arena: 1 << 16,
  eventLog: 16,
  capacities: {
    mms: 8,
    vmas: 32,
    anonVmas: 32,
    anonVmaLinks: 64,
    pageTables: 64,
    notifiers: 8,
    memcgs: 4,
    files: 4,
  },
};
/** The owners, equal before and after a restore. */
const DEVICES = ["first device", "second device"];

/** The engine's user, with what a snapshot does not hold. */
export class Player {
  hmm: Hmm;
  /** Calls of the callbacks. */
  readonly heard: string[] = [];
  readonly #module: WebAssembly.Module;

  constructor(module: WebAssembly.Module) {
    this.#module = module;
    this.hmm = Hmm.createSync(module, CONFIG);
  }

  /** Replaces the engine by one restored from its snapshot. */
  restart(): void {
    const bytes = this.hmm.snapshot();
    this.hmm = Hmm.restore(bytes, this.attachments);
    assert.is(
      Buffer.compare(this.hmm.snapshot(), bytes),
      0,
      "the restored engine's snapshot differs from the snapshot it was restored from",
    );
  }

  get attachments(): RestoreAttachments {
    const devmem = (i: number): [string, { ops: HmmDevmemOps; device: unknown }] => [
      `memory ${i}`,
      { ops: this.#memoryOps(i), device: DEVICES[i] },
    ];
    return {
      mirrors: { "the mirror": this.#mirrorOps },
      notifiers: { watch: this.#notifierOps },
      devmems: Object.fromEntries([devmem(0), devmem(1)]),
      module: this.#module,
    };
  }

  get mm(): Mm {
    return this.hmm.mms()[0];
  }

  get child(): Mm {
    return this.hmm.mms()[1];
  }

  devmem(i: number): HmmDevmem {
    return this.hmm.devmems()[i];
  }

  get table(): DeviceTable {
    return this.hmm.deviceTables()[0];
  }

  get migration(): Migration {
    return this.hmm.migrations()[0];
  }

  create(): void {
    const { hmm } = this;
    const mm = hmm.createMm({ memcg: new Memcg({ limit: 100 }) });
    mm.mmap({ length: PAGES * P, addr: ADDR, flags: FIXED });
    new DeviceTable(mm);
    hmmMirrorRegister(new HmmMirror(this.#mirrorOps, { id: "the mirror" }), mm);
    new MmuIntervalNotifier(mm, ADDR, 2 * P, this.#notifierOps, { id: "watch" });
    for (const i of [0, 1]) hmmDevmemAdd(hmm, this.#memoryOps(i), DEVICES[i], 2 << 20, { id: `memory ${i}` });
  }

  /** Opens a migration of the parent's pages [from, to). */
  setup(from: number, to: number, owner?: unknown): void {
    using _sem = this.mm.mmapSem.read();
    const select = owner === undefined ? undefined : MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
    const range = { vma: this.mm.findVma(ADDR), start: ADDR + from * P, end: ADDR + to * P };
    migrateVmaSetup({ ...range, owner, select });
  }

  pages(): void {
    using _sem = this.mm.mmapSem.read();
    this.migration.pages();
  }

  readonly #mirrorOps: HmmMirrorOps = {
    update: (_mirror, action, start, end, event) => {
      this.heard.push(`update ${action} ${start - ADDR} ${end - ADDR} ${event}`);
      this.table.clear(start, end);
    },
  };

  readonly #notifierOps: MmuIntervalNotifierOps = {
    invalidate: ({ start, end, owner }, seq) =>
      void this.heard.push(`invalidate ${start} ${end} ${String(owner)} ${seq}`),
  };

  #memoryOps(i: number): HmmDevmemOps {
    return {
      free: (devmem, page) => void this.heard.push(`free ${devmem.id} ${page}`),
      fault: (devmem, vma, address, page) => {
        this.heard.push(`fault ${devmem.id} ${address} ${page}`);
        using m = migrateVmaSetup({ vma, start: address, end: address + P, owner: DEVICES[i] });
        if (this.hmm.allocPages(m.src, m.dst) === 0) return VM_FAULT_SIGBUS;
        this.hmm.copyPages(m.src, m.dst);
        m.pages();
        return 0;
      },
    };
  }
}

const half = (words: Uint32Array): Uint32Array => words.subarray(0, words.length / 2);

/** The steps by name. */
export const STEPS: Record<string, (player: Player) => void> = {
  "make everything": (player) => player.create(),
  write: ({ mm }) => mm.write(ADDR, pattern(PAGES - 1)),
  "open a migration to the first device": (player) => player.setup(0, PAGES, undefined),
  allocate: (player) => player.devmem(0).allocPages(half(player.migration.src), half(player.migration.dst)),
  copy: ({ hmm, migration }) => hmm.copyPages(migration.src, migration.dst),
  move: (player) => player.pages(),
  map: ({ table, migration }) => table.mapMigrated(migration),
  end: ({ migration }) => migration.finalize(),
  "the device writes": ({ table }) => assert.is(table.write(ADDR, pattern(3, 9)), 3 * P),
  fork: ({ mm }) => mm.fork().write(ADDR + 6 * P, pattern(1, 4)),
  "the CPU takes a page back": ({ mm }) => assert.equal(mm.read(ADDR + P, P), pattern(3, 9).slice(P, 2 * P)),
  "open a migration from device to device": (player) => player.setup(2, 4, DEVICES[0]),
  "a fork in the meantime": ({ mm }) => mm.fork(),
  "allocate there": (player) => player.devmem(1).allocPages(player.migration.src, player.migration.dst),
  "copy there": ({ hmm, migration }) => hmm.copyPages(migration.src, migration.dst),
  "move there": (player) => player.pages(),
  "end there": ({ migration }) => migration.finalize(),
  "open a range of the first device": (player) => {
    migrateDeviceRange(player.devmem(0), player.devmem(0).pfnFirst, 4);
  },
  "give it up": ({ migration }) => migration.close(),
  "open one that is given up later": (player) => player.setup(4, 8, undefined),
  "allocate in vain": (player) => {
    player.migration.dst[1] = (player.devmem(1).allocPage() | MIGRATE_PFN_VALID) >>> 0;
  },
  "unmap under it": ({ mm }) => mm.munmap(ADDR + 4 * P, P),
  "give up": ({ migration }) => migration.close(),
  protect: ({ mm }) => mm.mprotect(ADDR, 2 * P, PROT_READ),
  "the child writes": ({ child }) => child.write(ADDR, pattern(4, 7)),
  "the second device goes": (player) => player.devmem(1).close(),
  "the parent goes": ({ mm }) => mm.close(),
  "the rest goes": ({ hmm }) => hmm.close(),
};
