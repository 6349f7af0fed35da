/** The engine's side of a run: performs operations through the public API and reads the state after each. */
import { Hmm, Memcg, PAGE_SIZE, type HmmFile, type Mm, type Pin } from "../../src/index.ts";
import { contextOf } from "../../src/engine/context.ts";
import { PTE_KIND_MASK, PTE_KIND_SWAP, PTE_PRESENT, PTE_SPECIAL } from "../../assembly/uapi/pte.ts";
import { HEADER, ZONES } from "../../assembly/abi/header.ts";
import { POOL_CAPACITY, POOL_COUNT, POOL_FREE, POOL_HIGH, POOL_USED } from "../../assembly/abi/pool.ts";
import { SWAP_ZONE, ZONE_FREE_PAGES, ZONE_SIZE } from "../../assembly/abi/zone.ts";
import { PMD_SIZE } from "../../assembly/uapi/page.ts";
import { encodeBytes } from "../golden/codec.ts";
import { frameBytes, swappedBytes } from "../golden/inspect.ts";
import { pagemap } from "../golden/state.ts";
import { Device } from "./device.ts";
import { OPERATIONS } from "./engine-ops.ts";
import { FLAG_LETTERS } from "./flag-letters.ts";
import { HUGE_MEMORY } from "./generate-huge.ts";
import { Handle } from "./handle.ts";
import { rewound } from "./rewind.ts";
import {
  contentOf,
  digest,
  MEMORY_MAX,
  sample,
  type Answer,
  type Look,
  type Op,
  type Plan,
  type ProcessState,
  type State,
} from "./plan.ts";

/** Address of page 0. */
export const ARENA = 0x100000000000;

/** Capacities for PROCESSES_MAX processes that share a small arena. */
const CAPACITIES = {
  mms: 8,
  vmas: 1024,
  anonVmas: 1024,
  anonVmaLinks: 8192,
  pageTables: 128,
  notifiers: 16,
  memcgs: 2,
  migrations: 16,
  deviceTables: 16,
  files: 64,
  ksmPages: 512,
  ksmAddresses: 2048,
};

/** More where blocks of 512 pages may all be merged. */
const HUGE_CAPACITIES = { ...CAPACITIES, ksmPages: 4096, ksmAddresses: 8192 };

/** Bytes for pfn arrays and the arrays of migrations. */
const ARENA_BYTES = 1 << 17;
const HUGE_ARENA_BYTES = 1 << 20;

/** A process: an address space, device files, pins. */
export interface Process {
  mm: Mm;
  /** Device files by number, including inherited files. */
  readonly handles: Map<number, Handle>;
  readonly opened: Set<number>;
  pins: Pin[];
}

export class EngineSide {
  hmm: Hmm;
  readonly devices: Device[];
  readonly processes = new Map<number, Process>();
  memcg: Memcg;
  /** Named files. */
  readonly files = new Map<string, HmmFile>();
  private readonly plan: Plan;
  private readonly pagesAtStart: number;
  /** How often the engine was replaced by one that goes on from its state. */
  private reboots = 0;

  constructor(plan: Plan, module?: WebAssembly.Module) {
    this.plan = plan;
    const { ram, devices, coherent, charge, swap, hugetlb } = plan.limits;
    // Devices take whole blocks of 512 pages, except for the last: the first device's driver enforces its
    // limit itself, and with huge pages, which need whole blocks, both drivers do.
    const [one, other] = plan.huge ? [HUGE_MEMORY, HUGE_MEMORY] : [MEMORY_MAX, devices[1]];
    this.hmm = Hmm.createSync({
      module,
      systemMemory: ram * PAGE_SIZE + hugetlb * PMD_SIZE,
      hugetlb: hugetlb * PMD_SIZE,
      deviceMemory: (one + other) * PAGE_SIZE,
      swap: swap * PAGE_SIZE,
      capacities: { ...(plan.huge ? HUGE_CAPACITIES : CAPACITIES), ...plan.capacities },
      arena: plan.arena ?? (plan.huge ? HUGE_ARENA_BYTES : ARENA_BYTES),
      eventLog: 16,
      linux: plan.linux,
    });
    if (plan.linux === "7.3" && plan.capacities) this.hmm.setHugepages(16 << 10, "always");
    this.memcg = new Memcg({ limit: charge });
    this.devices = [
      new Device(this.hmm, plan.rules, one, devices[0], coherent[0]),
      new Device(this.hmm, plan.rules, other, devices[1], coherent[1]),
    ];
    this.pagesAtStart = this.hmm.freePages;
    const first: Process = this.process(this.hmm.createMm({ memcg: this.memcg }));
    this.processes.set(0, first);
    this.open(first, 0, 0);
    this.open(first, 1, 1);
  }

  perform({ p, op, args }: Op): Answer {
    const process = this.processes.get(p);
    const perform = OPERATIONS.get(op);
    if (process === undefined || perform === undefined)
      throw new Error(`no process ${p}, or no operation ${op}`);
    return perform(process, args, this);
  }

  verify(): void {
    this.hmm.verify();
    if (digest(frameBytes(this.hmm, this.hmm.zeroPage)) !== 0)
      throw new Error("the zero page has been written to");
    for (const { used, known } of this.devices)
      if (used !== known) throw new Error(`${used} device pages in use, the driver knows ${known}`);
  }

  /** Closes everything. Throws if anything is still in use. */
  close(): void {
    for (const { handles } of this.processes.values())
      for (const handle of handles.values()) {
        if (handle.legacy.tracked) handle.legacy.done();
        while (handle.open.length > 0) handle.end();
      }
    for (const pid of [...this.processes.keys()]) this.exit(pid);
    for (const file of this.files.values()) file.close();
    for (const device of this.devices) device.close();
    this.memcg.close();
    this.hmm.verify();
    const kept = this.plan.limits.hugetlb - this.hmm.freeHugetlbPages;
    if (kept !== 0) throw new Error(`${kept} hugetlb pages are lost`);
    const lost = this.pagesAtStart - this.hmm.freePages;
    if (lost !== 0) throw new Error(`${lost} pages of system memory are lost`);
    if (this.swapped > 0) throw new Error(`${this.swapped} slots of swap space are lost`);
    const { mem } = contextOf("fuzz", this.hmm);
    for (let table = 0; table < POOL_COUNT; table++) {
      const field = (offset: number): number => mem.pool(table, offset);
      if (field(POOL_USED) === 0) continue;
      const numbers = `high ${field(POOL_HIGH)}, capacity ${field(POOL_CAPACITY)}, free ${field(POOL_FREE)}`;
      throw new Error(`${field(POOL_USED)} objects of table ${table} are in use after the end (${numbers})`);
    }
  }

  /**
   * Rewinds the engine to a checkpoint after it was scribbled over, or, every other time, continues on one
   * restored from a snapshot. Pins are in neither.
   */
  reboot(): void {
    const handles = new Set([...this.processes.values()].flatMap((process) => [...process.handles.values()]));
    const notifiers = Object.fromEntries([...handles].map(({ notifier, ops }) => [notifier.id, ops]));
    const devmems = this.devices.map((device) => [device.devmem.id, { ops: device.ops, device }] as const);
    const { module } = this.hmm;
    const mirrors = Object.fromEntries(
      [...handles].flatMap(({ legacy: { mirror, ops } }) => (mirror ? [[mirror.id, ops] as const] : [])),
    );
    const attach = { mirrors, notifiers, devmems: Object.fromEntries(devmems), module };
    this.hmm =
      this.reboots++ % 2 === 1 ? Hmm.restore(this.hmm.snapshot(), attach) : rewound(this.hmm, attach);
    this.memcg = this.hmm.memcgs()[0];
    for (const [name, { id }] of this.files)
      this.files.set(
        name,
        this.hmm.files().find((file) => file.id === id)!,
      );
    for (const process of this.processes.values())
      process.mm = this.hmm.mms().find(({ id }) => id === process.mm.id)!;
    for (const device of this.devices) device.moveTo(this.hmm);
    for (const handle of handles) {
      handle.moveTo(this.hmm);
      handle.moveMigrations(this.hmm);
    }
  }

  // --- processes and device files --------------------------------------------------------------

  private process(mm: Mm): Process {
    return { mm, handles: new Map(), opened: new Set(), pins: [] };
  }

  open(process: Process, number: number, device: number): void {
    process.handles.set(number, new Handle(this.devices[device], process.mm));
    process.opened.add(number);
  }

  closeHandle(process: Process, number: number): void {
    const handle = process.handles.get(number)!;
    process.handles.delete(number);
    process.opened.delete(number);
    if (--handle.references === 0) handle.close();
  }

  fork(parent: Process, pid: number): void {
    const child = this.process(parent.mm.fork());
    for (const [number, handle] of parent.handles) {
      handle.references++;
      child.handles.set(number, handle);
    }
    this.processes.set(pid, child);
  }

  /** Closes the address space, then the files. */
  exit(pid: number): void {
    const process = this.processes.get(pid)!;
    this.processes.delete(pid);
    for (const pin of process.pins) pin.close();
    process.mm.close();
    for (const number of [...process.handles.keys()]) this.closeHandle(process, number);
  }

  /** Returns the other device. */
  peerOf(device: Device): Device {
    return this.devices.find((other) => other !== device)!;
  }

  /** Returns the process that a device file mirrors, or -1 if the process has ended. */
  mirrored({ mm }: Handle): number {
    return [...this.processes].find(([, process]) => process.mm === mm)?.[0] ?? -1;
  }

  pidOf(process: Process): number {
    return [...this.processes].find(([, other]) => other === process)![0];
  }

  // --- state -----------------------------------------------------------------------------------

  state(look: Look): State {
    const st: Record<string, ProcessState> = {};
    for (const [pid, process] of this.processes) st[pid] = this.processState(process, look);
    const used = [this.pagesAtStart - this.hmm.freePages, ...this.devices.map((device) => device.used)];
    const files: State["files"] = {};
    for (const [name, file] of this.files)
      files[name] = [file.size, file.cachedPages, contentOf(file.read(0, file.size), look === "all")];
    const faults: Record<string, number> = { ...this.hmm.stats.faults };
    return {
      st,
      used,
      pool: this.hmm.freeHugetlbPages,
      charged: this.memcg.usage,
      swapped: this.swapped,
      faults,
      files,
    };
  }

  /** Number of swap slots in use. */
  private get swapped(): number {
    const { mem } = contextOf("fuzz", this.hmm);
    return this.plan.limits.swap - mem.u32(HEADER + ZONES + SWAP_ZONE * ZONE_SIZE + ZONE_FREE_PAGES);
  }

  private processState({ mm, handles, opened }: Process, look: Look): ProcessState {
    const { first, end } = this.plan;
    const base = ARENA + first * PAGE_SIZE;
    const n = end - first;
    const h: ProcessState["h"] = {};
    for (const number of opened) {
      const handle = handles.get(number)!;
      h[number] = {
        snap: encodeBytes(handle.snapshot(base, n).bytes),
        dpt: encodeBytes(handle.entries(base, n)),
        upd:
          handle.legacy
            .takeUpdates()
            ?.map(([e, from, to, action]) => [e, pageOf(from), pageOf(to), action]) ?? null,
        inv: handle.takeEvents().map(([event, from, to, owner]) => [event, pageOf(from), pageOf(to), owner]),
      };
    }
    const pm: number[] = [];
    const bytes: (string | number)[] = [];
    for (let i = 0; i < n; i++) this.page(mm, base + i * PAGE_SIZE, look, pm, bytes);
    const { anon, file, shmem, swap } = mm.rss;
    return {
      vma: mappings(mm),
      pm: encodeBytes(pm),
      rss: [anon, file, shmem, swap],
      bytes: bytes.join(" "),
      h,
    };
  }

  mappings(pid: number): { start: number; end: number }[] {
    const vmas = this.processes.get(pid)!.mm.vmas();
    return vmas.map(({ start, end }) => ({ start: pageOf(start), end: pageOf(end) }));
  }

  /** Returns the contents of each page: 0 for no page, null for a page that other processes share. */
  contents(pid: number): (number | string | null)[] {
    const { mm } = this.processes.get(pid)!;
    return Array.from({ length: this.plan.end - this.plan.first }, (_, i) => {
      const address = ARENA + (this.plan.first + i) * PAGE_SIZE;
      const vma = mm.findVma(address);
      if (vma && (vma.file !== 0 || vma.special)) return null;
      return this.content<number | string>(mm, address, digest) ?? 0;
    });
  }

  /** Returns the pagemap bits and contents of one page. */
  private page(mm: Mm, address: number, look: Look, pm: number[], contents: (string | number)[]): void {
    pm.push(pagemap(mm, address));
    if (look === "none") return;
    const content = this.content<number | string>(mm, address, look === "all" ? digest : sample);
    if (content !== null) contents.push(content);
  }

  /** Returns `look` of the bytes of a page, swapped or not; null for no page. */
  private content<T>(mm: Mm, address: number, look: (bytes: Uint8Array) => T): T | null {
    const entry = mm.lookupPte(address);
    if (entry === null || (entry.flags & PTE_SPECIAL) !== 0) return null;
    const swapped = (entry.flags & PTE_PRESENT) === 0 && (entry.flags & PTE_KIND_MASK) === PTE_KIND_SWAP;
    return swapped ? look(swappedBytes(this.hmm, entry.pfn)) : this.hmm.pageBytes(entry.pfn, look);
  }
}

function pageOf(address: number): number {
  return (address - ARENA) / PAGE_SIZE;
}

function mappings(mm: Mm): string[] {
  return mm.vmas().map(({ start, end, flags, pgoff, file }) => {
    const letters = FLAG_LETTERS.map(([bit, letter]) => ((flags & bit) !== 0 ? letter : "")).join("");
    return `${pageOf(start)}-${pageOf(end)} ${letters} @${file === 0 ? pgoff - ARENA / PAGE_SIZE : pgoff}`;
  });
}
