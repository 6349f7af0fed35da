/** All processes, device files and memory of the reference model. */
import type { ModelFile } from "./file.ts";
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

const NO_LIMITS: Limits = {
  ram: Infinity,
  devices: [Infinity, Infinity],
  coherent: [false, false],
  charge: Infinity,
  swap: Infinity,
  hugetlb: Infinity,
};

/** The choices of a device's driver. */
export interface DriverRules {
  /** Pages that the driver faults in or migrates at a time. */
  piece: number;
  /** Number of pages, aligned to this number, that come back together when the CPU touches one. */
  cluster: number;
  /**
   * true: an invalidation drops exactly its range, unless this file's own migration caused it. false, like
   * the records' driver: an invalidation drops one page more, and nothing if this device's migration caused
   * it; entries of pages that come back are dropped at the faulting address, in the table of the file that
   * migrated them.
   */
  exact: boolean;
  /** Whether closing a device file brings all pages of its device back. */
  evictOnClose: boolean;
  /** Whether huge pages move as one. */
  compound: boolean;
  /**
   * Whether huge pages move to huge pages of RAM and of the device while there are any, else to single pages.
   */
  largeRam: boolean;
  largeDevice: boolean;
  /** Whether pages are evicted one at a time, in order of arrival, instead of all at once. */
  evictSingly: boolean;
}

const RECORDS_DRIVER: DriverRules = {
  piece: 64,
  cluster: 1,
  exact: false,
  evictOnClose: true,
  evictSingly: false,
  compound: false,
  largeRam: false,
  largeDevice: false,
};

/** An open device file, with the processes that have it and the process that opened it. */
interface Handle {
  mirror: Mirror;
  opener: number;
  holders: Set<number>;
}

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
  readonly swapSize: number;
  swapUsed = 0;
  /** Blocks in the hugetlb pool. */
  hugeFree: number;
  /** Page faults by kind. */
  readonly faults = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])) as Record<FaultKind, number>;
  swapOn = false;
  /** The huge zero page, while it is mapped. */
  hugeZero: HugeZero | null = null;
  readonly ksm = new Ksm(this);
  private arrivals = 0;

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

  /** Returns a new huge page in RAM; null if memory or the group's limit is too small. */
  newFolio(home: AnonVma, index: number): Folio | null {
    if (this.charged + HUGE_PAGES > this.chargeLimit || !this.takeBlock(RAM)) return null;
    this.charged += HUGE_PAGES;
    return new Folio(Array.from({ length: HUGE_PAGES }, (_, i) => new Page("anon", home, index + i)));
  }

  /** Whether a driver uses huge pages in that place. */
  large(place: number): boolean {
    return place === RAM ? this.rules.largeRam : this.rules.largeDevice;
  }

  /** Takes the frames of a huge page. */
  takeBlock(place: number): boolean {
    if (this.used[place + 1] + HUGE_PAGES > this.most[place + 1]) return false;
    this.used[place + 1] += HUGE_PAGES;
    return true;
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

  /** The records' driver drops the entry at the faulting address of a page. */
  cameBack(mover: object | null, pn: number): void {
    if (mover instanceof Mirror && !this.rules.exact) mover.table.delete(pn);
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
