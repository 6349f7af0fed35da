/** A device's driver (DriverRules): a device table for one process, and the commands that use it. */
import type { DriverRules } from "./driver-rules.ts";
import { blockOf } from "./huge.ts";
import { lend, lendSingly } from "./lend.ts";
import {
  EBUSY,
  EFAULT,
  EINVAL,
  ENOENT,
  ENOMEM,
  EPERM,
  isZero,
  present,
  R,
  RAM,
  type Event,
  type Page,
} from "./page.ts";
import { invalidateTracked, migrateVma, type Tracked } from "./legacy.ts";
import { fromPeer, leaveDevice, toDevice, toSystem, type Moved, type OpenMigration } from "./migrate.ts";
import type { Mm } from "./mm.ts";
import { rangeFault } from "./range-fault.ts";
import { PFN, SPECIAL } from "./vma.ts";
import type { World } from "./world.ts";

export interface Reply {
  ret: number;
  cpages: number;
  faults: number;
  data?: (number | string)[];
  snap?: number[];
}

interface DeviceEntry {
  page: Page | null;
  write: boolean;
  /** Whether the entry is for exclusive access. */
  exclusive?: boolean;
}

export class Mirror {
  readonly table = new Map<number, DeviceEntry>();
  /** Events since the last state. */
  events: Event[] = [];

  /** Events that this mirror's own migrations did not cause. */
  private invalidations = 0;
  private migrating = false;
  /** The updates of a mirror of 2018; null if none is registered. */
  updates: [...Event, action: number][] | null = null;
  tracked: Tracked | null = null;
  /** Whether the next allocation for this file fails, once. */
  failNext = false;
  /** Open migrations, oldest first. */
  readonly open: { migration: OpenMigration; invalidations: number }[] = [];

  constructor(
    public mm: Mm | null,
    readonly device: number,
    private readonly rules: DriverRules,
  ) {}

  /** A notifier event. */
  invalidate(event: Event): void {
    const [name, a, b, owner] = event;
    this.events.push(event);
    invalidateTracked(this.tracked, event);
    const readable = name === "prot_page" || (name === "prot_vma" && (this.mm!.protecting & R) !== 0);
    this.updates?.push([...event, readable ? 1 : 0]);
    const { exact } = this.rules;
    if (name === "migrate" && owner === this.device && (this.migrating || !exact)) return;
    this.invalidations++;
    for (let pn = a; pn < b; pn++) this.table.delete(pn);
    if (!exact) this.table.delete(b);
  }

  read(a: number, n: number): Reply {
    const data: (number | string)[] = [];
    const reply = this.run(a, n, false, ({ page }) => data.push(page?.content.digest() ?? 0));
    return reply.ret === 0 ? { ...reply, data } : reply;
  }

  write(a: number, n: number, value: number): Reply {
    return this.run(a, n, true, ({ page }, i) => page!.content.set(value + i));
  }

  /** Accesses the range while the table has the entries, and faults the rest in. */
  private run(a: number, n: number, write: boolean, use: (entry: DeviceEntry, i: number) => void): Reply {
    const reply: Reply = { ret: 0, cpages: 0, faults: 0 };
    if (n === 0) return { ...reply, ret: -EINVAL };
    while (reply.cpages < n) {
      const entry = this.table.get(a + reply.cpages);
      if (entry && (!write || entry.write)) {
        use(entry, reply.cpages);
        reply.cpages++;
        continue;
      }
      reply.ret = this.fault(a + reply.cpages, a + n, write);
      if (reply.ret !== 0) return reply;
      reply.faults++;
    }
    return reply;
  }

  private fault(a: number, b: number, write: boolean): number {
    if (!this.mm) return -EFAULT;
    for (let at = a; at < b; at += this.rules.piece) {
      const end = Math.min(at + this.rules.piece, b);
      const error = this.rangeFault(this.mm, at, end, write);
      if (error) return error;
      for (let pn = at; pn < end; pn++) {
        const entry = this.mm.entries.get(pn)!;
        if (write && !entry.write) return -EFAULT;
        this.table.set(pn, { page: entry.page, write: entry.write });
      }
    }
    return 0;
  }

  /** Faults a piece in, and restarts after an invalidation. */
  private rangeFault(mm: Mm, a: number, b: number, write: boolean): number {
    for (;;) {
      const { invalidations } = this;
      const changed = (): boolean => this.invalidations !== invalidations;
      const error = rangeFault(mm, this.device, a, b, write, changed);
      if (error !== -EBUSY) return error;
    }
  }

  toDevice(a: number, n: number): Reply {
    const reply = this.migrate(a, n, (mm, from, to) => {
      const { moved } = this.whileFailing(() => toDevice(mm, from, to, this.device, this).finish());
      this.map(mm, moved);
      return 0;
    });
    return reply.ret === 0 ? this.readBack(a, n) : reply;
  }

  map(mm: Mm, moved: Moved[]): void {
    const { holesReadOnly } = this.rules;
    for (const { pn, write, filled } of moved)
      this.table.set(pn, { page: mm.entries.get(pn)!.page, write: write && !(holesReadOnly && filled) });
  }

  private whileFailing<T>(migrate: () => T): T {
    const { world } = this.mm!;
    world.failing = this;
    const result = migrate();
    world.failing = null;
    return result;
  }

  toSystem(a: number, n: number): Reply {
    return this.migrate(a, n, (mm, from, to) => {
      const migration = this.whileFailing(() => toSystem(mm, from, to, this.device));
      const { moved, units, tried } = migration.finish();
      const { exact } = this.rules;
      // The records' driver drops the entries before the pages have moved.
      for (const pn of exact ? moved.map((one) => one.pn) : (tried ?? migration.places))
        this.table.delete(pn);
      return tried ? -ENOMEM : exact ? moved.length : units;
    });
  }

  /** Migrates another device's pages among n to this device. */
  fromPeer(a: number, n: number, peer: number): Reply {
    return this.migrate(a, n, (mm, from, to) => {
      const { moved, count } = fromPeer(mm, from, to, peer, this.device, this).finish();
      this.map(mm, moved);
      return count;
    });
  }

  /** migrate_vma to this device. */
  migrateVma(a: number, n: number): Record<string, number> {
    this.migrating = true;
    const answer = migrateVma(this.mm, a, n, this);
    this.migrating = false;
    return answer;
  }

  private migrate(a: number, n: number, piece: (mm: Mm, from: number, to: number) => number): Reply {
    const reply: Reply = { ret: 0, cpages: 0, faults: 0 };
    if (n === 0 || !this.mm) return { ...reply, ret: -EINVAL };
    for (let at = a; at < a + n;) {
      const end = this.pieceEnd(this.mm, at, a + n);
      if (end === at) return { ...reply, ret: -EINVAL };
      this.migrating = true;
      const count = piece(this.mm, at, end);
      this.migrating = false;
      if (count < 0) return { ...reply, ret: count };
      reply.cpages += count;
      at = end;
    }
    return reply;
  }

  /** Returns the end of the piece of [a, b) that migrates at once; `a` if no piece can. */
  private pieceEnd(mm: Mm, a: number, b: number): number {
    const vma = mm.vmas.find(a);
    const piece = this.rules.migratePiece ?? this.rules.piece;
    return vma && vma.flags & R && !(vma.flags & SPECIAL) ? Math.min(a + piece, b, vma.end) : a;
  }

  // --- migrations whose halves are apart (not in the records) ------------------------------------

  /** Starts to move one piece to the device or to RAM, up to the copy. */
  begin(a: number, n: number, leave: boolean): number {
    const { mm, device } = this;
    const end = mm && n > 0 ? this.pieceEnd(mm, a, a + n) : a;
    if (!mm || end === a) return -EINVAL;
    const migration = leave ? toSystem(mm, a, end, device) : toDevice(mm, a, end, device, this);
    this.open.push({ migration, invalidations: this.invalidations });
    return 0;
  }

  /** Starts to move the device's oldest movable page to RAM, wherever it is mapped. */
  beginEvict(world: World): number {
    if (world.used[this.device + 1] > 0) world.drain();
    for (const page of world.pagesOn(this.device)) {
      const migration = leaveDevice(world, [page]);
      if (migration.candidates === 0) continue;
      this.open.push({ migration, invalidations: this.invalidations });
      return 0;
    }
    return -ENOENT;
  }

  /**
   * Ends the oldest open migration, and maps its pages if no invalidation came between. Returns the number
   * moved.
   */
  end(): number {
    const { migration, invalidations } = this.open.shift()!;
    const unchanged = this.invalidations === invalidations;
    this.migrating = unchanged;
    const { moved, count } = migration.finish();
    this.migrating = false;
    if (migration.mm && unchanged)
      this.map(
        migration.mm,
        moved.filter(({ pn }) => migration.mm!.entries.get(pn)!.page!.place === this.device),
      );
    return count;
  }

  // --- exclusive access --------------------------------------------------------------------------

  /** Lends pages one piece at a time, and maps only pieces that were faulted in as a whole. */
  exclusive(a: number, n: number): Reply {
    const { mm, device, rules } = this;
    if (n === 0 || !mm) return { ret: -EINVAL, cpages: 0, faults: 0 };
    if (mm.world.newer) return this.exclusiveSingly(mm, a, n);
    for (let at = a; at < a + n; at += rules.piece) {
      const size = Math.min(rules.piece, a + n - at);
      const lent: [pn: number, page: Page][] = [];
      const reached = lend(mm, at, size, rules.exact ? device : -1, (pn, page) => lent.push([pn, page]));
      if (reached === size)
        for (const [pn, page] of lent) this.table.set(pn, { page, write: rules.exact, exclusive: true });
      if (reached < size || lent.length < size) return { ret: -EBUSY, cpages: 0, faults: 0 };
    }
    return this.readBack(a, n);
  }

  /** 7.3: page by page up to the first that fails; the records' driver holds no page meanwhile. */
  private exclusiveSingly(mm: Mm, a: number, n: number): Reply {
    const { device } = this;
    const { exact, piece } = this.rules;
    for (let done = 0; done < n;) {
      const size = exact ? Math.min(piece, n - done) : 1;
      const count = lendSingly(mm, a + done, size, exact ? device : -1, (pn, page) =>
        this.table.set(pn, { page, write: exact, exclusive: true }),
      );
      if (count < 0) return { ret: count, cpages: 0, faults: 0 };
      done += count;
    }
    return this.readBack(a, n);
  }

  /** Whether any of n pages is still lent to this device. */
  check(a: number, n: number): Reply {
    const reply: Reply = { ret: 0, cpages: 0, faults: 0 };
    if (n === 0) return { ...reply, ret: -EINVAL };
    for (let pn = a; pn < a + n; pn++) if (this.table.get(pn)?.exclusive) return { ...reply, ret: -EPERM };
    return reply;
  }

  /** Returns what the device can read without a fault, the check after a migration. */
  private readBack(a: number, n: number): Reply {
    const data: (number | string)[] = [];
    for (let pn = a; pn < a + n; pn++) {
      const entry = this.table.get(pn);
      if (!entry) return { ret: -ENOENT, cpages: data.length, faults: 0 };
      data.push(entry.page?.content.digest() ?? 0);
    }
    return { ret: 0, cpages: n, faults: 0, data };
  }

  snapshot(a: number, n: number): Reply {
    if (n === 0 || !this.mm) return { ret: -EINVAL, cpages: 0, faults: 0, snap: [] };
    const snap: number[] = [];
    for (let pn = a; pn < a + n; pn++) snap.push(this.look(this.mm, pn));
    return { ret: 0, cpages: n, faults: 0, snap };
  }

  private look(mm: Mm, pn: number): number {
    const vma = mm.vmas.find(pn);
    if (!vma || !(vma.flags & R) || vma.flags & PFN) return 0xff;
    const entry = mm.entries.get(pn);
    if (!entry || entry.page?.locked) return 0;
    const huge = mm.huge.has(blockOf(pn));
    if (isZero(entry)) return huge ? 5 : 0x11;
    const { page } = entry;
    const access = (entry.write ? 2 : 1) | (huge || page?.block ? 4 : 0);
    if (present(entry)) {
      if (!page || page.place === RAM) return access;
      return access | (page.place === this.device ? 0x40 : 0x50);
    }
    if (page?.place === this.device && !entry.lent) return 0x20 | access;
    // Another device's huge page is an error, its single pages show as nothing.
    return huge ? 0xff : 0;
  }

  /** Returns the device table in the records' form: 0 none, 1 read, 3 write, 2 exclusive. */
  shown(a: number, n: number): number[] {
    return Array.from({ length: n }, (_, i) => {
      const entry = this.table.get(a + i);
      if (!entry) return 0;
      return entry.exclusive ? 2 : entry.write ? 3 : 1;
    });
  }
}
