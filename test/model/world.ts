/** All processes, device files and memory of the reference model. */
import type { ModelFile } from "./file.ts";
import { RECORDS_DRIVER, type DriverRules } from "./driver-rules.ts";
import { Folio, type HugeZero } from "./huge.ts";
import { releaseBlock } from "./hugetlb.ts";
import { Ksm } from "./ksm.ts";
import {
  EINVAL,
  ENOMEM,
  FAULT_KINDS,
  HUGE_PAGES,
  RAM,
  Page,
  type EventName,
  type FaultKind,
  type PageKind,
} from "./page.ts";
import { evict } from "./migrate.ts";
import { Mirror } from "./mirror.ts";
import { Mm } from "./mm.ts";
import type { SizeMode } from "./sized.ts";
import { leaveSwapCache } from "./swap.ts";
import type { AnonVma } from "./vma.ts";

/** Numbers of frames, and of pages that may be charged. */
export interface Limits {
  ram: number;
  devices: number[];
  /** Whether CPUs access each device's memory like RAM. */
  coherent: boolean[];
  charge: number;
  /** Number of swap slots. */
  swap: number;
  /** Number of blocks for hugetlb mappings. */
  hugetlb: number;
}

export const NO_LIMITS: Limits = {
  ram: Infinity,
  devices: [Infinity, Infinity],
  coherent: [false, false],
  charge: Infinity,
  swap: Infinity,
  hugetlb: Infinity,
};

/** An open device file, with the processes that have it and the process that opened it. */
interface Handle {
  mirror: Mirror;
  opener: number;
  holders: Set<number>;
}

/** Pages of a full batch of unlocked pages. */
const BATCH_PAGES = 31;

export class World {
  readonly mms = new Map<number, Mm>();
  readonly handles = new Map<number, Handle>();
  /** Frames in use: [0] RAM, [1 + device]. */
  readonly used: number[];
  private readonly most: number[];
  readonly coherent: readonly boolean[];
  /** Pages that may be charged. */
  chargeLimit: number;
  /** Pages charged to the memory cgroup, wherever they are. */
  charged = 0;
  /** Files by name: "disk 1". */
  readonly files = new Map<string, ModelFile>();
  /** Number of pages around a read fault of a file that are mapped with it. */
  faultAround = 16;
  /** Swap slots, and which of them are in use: the lowest that is free is taken first. */
  readonly swapSize: number;
  private readonly slots: boolean[] = [];
  swapUsed = 0;
  /** For which mappings faults map folios of so many pages. */
  readonly sizes = new Map<number, SizeMode>([[HUGE_PAGES, "madvise"]]);
  /** Blocks in the hugetlb pool. */
  hugeFree: number;
  /** Page faults by kind. */
  readonly faults = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])) as Record<FaultKind, number>;
  swapOn = false;
  /** The device file whose allocation may fail (`dfail`). */
  failing: Mirror | null = null;
  /** The huge zero page, while it is mapped. */
  hugeZero: HugeZero | null = null;
  readonly ksm = new Ksm(this);
  private arrivals = 0;
  private readonly batch: Page[] = [];
  private batchSize = 0;

  constructor(
    { ram, devices, coherent, charge, swap, hugetlb }: Limits = NO_LIMITS,
    readonly rules: DriverRules = RECORDS_DRIVER,
    /** The kernel: RULES.md, section 20, has what differs. */
    readonly linux: "6.12" | "7.3" = "6.12",
  ) {
    this.most = [ram, ...devices];
    this.used = this.most.map(() => 0);
    this.coherent = coherent;
    this.chargeLimit = charge;
    this.swapSize = swap;
    this.hugeFree = hugetlb;
    this.mms.set(0, new Mm(this));
    devices.forEach((_, device) => this.open(0, device, device));
  }

  /** Does it answer like Linux 7.3? */
  get newer(): boolean {
    return this.linux === "7.3";
  }

  // --- memory ----------------------------------------------------------------------------------

  takeFrame(place: number): boolean {
    if (this.used[place + 1] === this.most[place + 1]) return false;
    this.used[place + 1]++;
    return true;
  }

  /** Does the next allocation of the driver fail, once? */
  fails(): boolean {
    if (!this.failing?.failNext) return false;
    this.failing.failNext = false;
    return true;
  }

  giveFrame(place: number): void {
    this.used[place + 1]--;
  }

  /** Returns a new page in RAM; null if memory or the group's limit is exhausted. */
  newPage(kind: PageKind, home: AnonVma | ModelFile | null, index: number, charged = true): Page | null {
    if (!this.takeFrame(RAM)) return null;
    const page = this.chargePage(kind, home, index, charged);
    if (!page) this.giveFrame(RAM);
    return page;
  }

  /** Returns a page for a frame that the caller has allocated. */
  chargePage(kind: PageKind, home: AnonVma | ModelFile | null, index: number, charged = true): Page | null {
    if (charged && this.charged >= this.chargeLimit) return null;
    if (charged) this.charged++;
    const page = new Page(kind, home, index);
    page.charged = charged;
    return page;
  }

  /** Returns a new huge page in RAM, or a smaller folio; null if memory or the group's limit is too small. */
  newFolio(home: AnonVma | null, index: number, size = HUGE_PAGES): Folio | null {
    if (this.charged + size > this.chargeLimit || !this.takeBlock(RAM, size)) return null;
    this.charged += size;
    return new Folio(Array.from({ length: size }, (_, i) => new Page("anon", home, index + i)));
  }

  /** Whether a driver uses huge pages in that place. */
  large(place: number): boolean {
    if (place === RAM) return this.rules.largeRam;
    return this.rules.largeDevice && !this.coherent[place];
  }

  /** Takes the frames of a huge page or a smaller folio. */
  takeBlock(place: number, size = HUGE_PAGES): boolean {
    if (this.used[place + 1] + size > this.most[place + 1]) return false;
    this.used[place + 1] += size;
    return true;
  }

  /** Takes slots that follow each other from a multiple of their number on. Returns the first; -1: none. */
  takeSlots(n: number): number {
    if (!this.swapOn) return -1;
    for (let first = 0; first + n <= this.swapSize; first += n) {
      let used = false;
      for (let slot = first; slot < first + n; slot++) used ||= this.slots[slot] ?? false;
      if (used) continue;
      for (let slot = first; slot < first + n; slot++) this.slots[slot] = true;
      this.swapUsed += n;
      return first;
    }
    return -1;
  }

  freeSlot(slot: number): void {
    this.slots[slot] = false;
    this.swapUsed--;
  }

  /**
   * Runs after an entry or a migration drops a page: the swap cache drops the page too if nothing else has
   * it.
   */
  letGo(page: Page): void {
    if (page.slot && page.maps === 0 && !page.locked) leaveSwapCache(this, page);
    else this.release(page);
  }

  /** Frees a page without references. */
  release(page: Page): void {
    if (page.refs > 0 || page.locked) return;
    if (page.block) return releaseBlock(this, page.block);
    // A huge page is freed as a whole.
    const { folio } = page;
    if (folio?.pages.some(({ refs, locked }) => refs > 0 || locked)) return;
    for (const one of folio?.dissolve() ?? [page]) {
      this.giveFrame(one.place);
      if (one.charged) this.charged--;
      if (one.merged) this.ksm.gone(one);
    }
  }

  /**
   * Runs before a locked mapping drops a page (7.3): a device's page that nothing else has stays in use with
   * its batch, of 31 pages wherever they are. A folio drains the batch.
   */
  unlock(page: Page): void {
    if (page.folio) return this.drain();
    if (page.place !== RAM && page.refs === 1 && !page.merged) {
      page.batched = true;
      this.batch.push(page);
    }
    if (++this.batchSize === BATCH_PAGES) this.drain();
  }

  /** Ends the batch, whose pages are free then. */
  drain(): void {
    this.batchSize = 0;
    for (const page of this.batch.splice(0)) {
      page.batched = false;
      this.release(page);
    }
  }

  /** Returns the next number of {@link Page.arrival}. */
  arrive(): number {
    return ++this.arrivals;
  }

  /** Returns the device's pages that are not in a migration, in order of arrival. */
  pagesOn(device: number): Page[] {
    const pages = new Set<Page>();
    for (const { entries, pinned } of this.mms.values())
      for (const page of [...[...entries.values()].map((entry) => entry.page), ...pinned])
        if (page instanceof Page && page.place === device && !page.locked)
          for (const one of page.folio?.pages ?? [page]) pages.add(one);
    return [...pages].sort((a, b) => a.arrival - b.arrival);
  }

  // --- events ----------------------------------------------------------------------------------

  notify(mm: Mm, name: EventName, a: number, b: number, owner = -1): void {
    for (const { mirror } of this.handles.values())
      if (mirror.mm === mm) mirror.invalidate([name, a, b, owner]);
  }

  /** The records' driver drops the entries of what comes back in the table of the file that migrated it. */
  cameBack(mover: object | null, from: number, to: number): void {
    if (!(mover instanceof Mirror) || this.rules.exact) return;
    for (let pn = from; pn < to; pn++) mover.table.delete(pn);
  }

  // --- processes and device files --------------------------------------------------------------

  open(pid: number, h: number, device: number): number {
    const mirror = new Mirror(this.mms.get(pid)!, device, this.rules);
    this.handles.set(h, { mirror, opener: pid, holders: new Set([pid]) });
    return 0;
  }

  close(pid: number, h: number): number {
    const handle = this.handles.get(h);
    if (!handle?.holders.delete(pid)) return -EINVAL;
    if (handle.holders.size > 0) return 0;
    this.handles.delete(h);
    if (this.rules.evictOnClose) evict(this, handle.mirror.device);
    return 0;
  }

  fork(pid: number, child: number): number {
    const parent = this.mms.get(pid)!;
    const mm = parent.fork();
    if (!mm) return -ENOMEM;
    this.mms.set(child, mm);
    if (this.ksm.has(parent)) this.ksm.enter(this.mms.get(child)!);
    for (const { holders } of this.handles.values()) if (holders.has(pid)) holders.add(child);
    return 0;
  }

  exit(pid: number): number {
    const mm = this.mms.get(pid)!;
    this.mms.delete(pid);
    mm.exit();
    this.ksm.exit(mm);
    for (const { mirror } of this.handles.values()) {
      if (mirror.mm !== mm) continue;
      mirror.mm = null;
      mirror.table.clear();
    }
    for (const h of [...this.handles.keys()]) this.close(pid, h);
    return 0;
  }

  /** Evicts all pages of an open file's device. */
  evictAll(h: number): number {
    evict(this, this.handles.get(h)!.mirror.device);
    return 0;
  }
}
