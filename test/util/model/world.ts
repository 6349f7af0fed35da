/** All processes, device files and memory of the reference model. */
import { EINVAL, RAM, Page, type EventName } from "./page.ts";
import { evict } from "./migrate.ts";
import { Mirror } from "./mirror.ts";
import { Mm } from "./mm.ts";
import type { Vma } from "./vma.ts";

export interface Limits {
  ram: number;
  devices: number[];
}

/** An open device file: the processes that have it, and who opened it. */
interface Handle {
  mirror: Mirror;
  opener: number;
  holders: Set<number>;
}

export class World {
  readonly mms = new Map<number, Mm>();
  readonly handles = new Map<number, Handle>();
  /** Frames in use, and at most: [0] RAM, [1 + device]. */
  readonly used: number[];
  private readonly most: number[];

  constructor(limits: Limits = { ram: Infinity, devices: [Infinity, Infinity] }) {
    this.most = [limits.ram, ...limits.devices];
    this.used = this.most.map(() => 0);
    this.mms.set(0, new Mm(this));
    limits.devices.forEach((_, device) => this.open(0, device, device));
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

  newPage(vma: Vma, pn: number): Page | null {
    return this.takeFrame(RAM) ? this.chargePage(vma, pn) : null;
  }

  /** A page object for a frame that the caller has. */
  chargePage(vma: Vma, pn: number): Page | null {
    return new Page(vma.anon!, vma.offset(pn));
  }

  release(page: Page): void {
    if (page.maps === 0 && page.pins === 0) this.giveFrame(page.place);
  }

  pagesOn(device: number): Page[] {
    const pages = new Set<Page>();
    for (const mm of this.mms.values())
      for (const { page } of mm.entries.values()) if (page?.place === device) pages.add(page);
    return [...pages];
  }

  // --- events ----------------------------------------------------------------------------------

  notify(mm: Mm, name: EventName, a: number, b: number, owner = -1): void {
    for (const { mirror } of this.handles.values())
      if (mirror.mm === mm) mirror.invalidate([name, a, b, owner]);
  }

  /** The driver that moved a page forgets the address at which it was wanted back. */
  cameBack(mover: object | null, pn: number): void {
    if (mover instanceof Mirror) mover.table.delete(pn);
  }

  // --- processes and device files --------------------------------------------------------------

  open(pid: number, h: number, device: number): number {
    const mirror = new Mirror(this.mms.get(pid)!, device);
    this.handles.set(h, { mirror, opener: pid, holders: new Set([pid]) });
    return 0;
  }

  close(pid: number, h: number): number {
    const handle = this.handles.get(h);
    if (!handle?.holders.delete(pid)) return -EINVAL;
    if (handle.holders.size > 0) return 0;
    this.handles.delete(h);
    evict(this, handle.mirror.device);
    return 0;
  }

  fork(pid: number, child: number): number {
    this.mms.set(child, this.mms.get(pid)!.fork());
    for (const { holders } of this.handles.values()) if (holders.has(pid)) holders.add(child);
    return 0;
  }

  exit(pid: number): number {
    const mm = this.mms.get(pid)!;
    this.mms.delete(pid);
    mm.exit();
    for (const { mirror } of this.handles.values()) {
      if (mirror.mm !== mm) continue;
      mirror.mm = null;
      mirror.table.clear();
    }
    for (const h of [...this.handles.keys()]) this.close(pid, h);
    return 0;
  }

  /** Everything off the device of an open file. */
  evictAll(h: number): number {
    evict(this, this.handles.get(h)!.mirror.device);
    return 0;
  }

  /** Pages charged to the memory cgroup. */
  get charged(): number {
    return this.used.reduce((a, b) => a + b);
  }
}
