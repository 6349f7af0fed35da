/** A world in which drivers do everything wrong: see misuse.ts. */
import * as api from "../../src/index.ts";
import { accessCalls, fileCalls, mappingCalls, SPAN, type Call } from "./misuse-calls.ts";
import { BASE, pickPfn, pickWord, SPOTS } from "./misuse-pick.ts";
import { Random } from "./random.ts";

/** How deep a callback may call the engine again. */
const DEPTH_MAX = 3;
/** What the checks of the API begin with: the name of the call. */
const REFUSAL = /^[\w.()]+: /;

export type Seen = Map<string, { done: number; refused: number }>;

/** An error that no driver may be shown: a panic, or an exception of the engine's own code. */
class Broken extends Error {}

export class World {
  readonly hmm: api.Hmm;
  readonly #random: Random;
  readonly #devmems: api.HmmDevmem[];
  readonly #file: api.HmmFile;
  #mms: api.Mm[] = [];
  #migrations: api.Migration[] = [];
  /** Arrays of migrations that may have ended. */
  readonly #stale: Uint32Array[] = [];
  #pins: api.Pin[] = [];
  #exclusive: api.ExclusivePages[] = [];
  #depth = 0;
  /** Whether drivers of this run write random words: few migrations get far then. */
  readonly #writes: boolean;
  readonly #trace: string[] = [];
  /** How often each call worked, and how often it was refused. */
  readonly seen: Seen = new Map();

  constructor(seed: number, module?: WebAssembly.Module) {
    const random = new Random(seed);
    const linux: api.LinuxVersion = seed % 2 === 0 ? "6.12" : "7.3";
    const config = { systemMemory: 8 << 20, deviceMemory: 12 << 20, swap: 1 << 20, hugetlb: 4 << 20, linux };
    this.hmm = module === undefined ? api.Hmm.createSync(config) : api.Hmm.createSync(module, config);
    if (linux === "7.3") for (const kib of [16, 64]) this.hmm.setHugepages(kib << 10, "always");
    this.#random = random;
    this.#writes = random.chance(0.4);
    const fault = (devmem: api.HmmDevmem, _vma: unknown, address: number): number =>
      this.#serve(devmem, address);
    this.#devmems = [false, true, false].map((coherent, i) =>
      api.hmmDevmemAdd(this.hmm, { fault }, `device${i}`, 4 << 20, { coherent }),
    );
    this.#file = this.hmm.createFile({
      bytes: SPAN * api.PAGE_SIZE,
      kind: random.pick(["disk", "shmem"] as const),
    });
    // verify() takes a locked page for a fault of the engine if nobody outside has a reference to any page.
    this.hmm.allocPage();
    this.#newMm();
  }

  #newMm(): void {
    const mm = this.hmm.createMm();
    this.#mms.push(mm);
    mm.mmap({
      addr: BASE,
      length: SPAN * api.PAGE_SIZE,
      flags: api.MAP_PRIVATE | api.MAP_ANONYMOUS | api.MAP_FIXED,
    });
    if (this.#random.chance(0.5)) mm.madvise(BASE, SPAN * api.PAGE_SIZE, api.MADV_HUGEPAGE);
    const subscribe = (): void => {
      new api.MmuIntervalNotifier(mm, 0, 2 ** 47, {
        invalidate: () => {
          this.#nested();
          return true;
        },
      });
    };
    if (this.#random.chance(0.7)) subscribe();
  }

  /** Some misuse inside a callback. */
  #nested(): void {
    if (this.#depth >= DEPTH_MAX || !this.#random.chance(0.2)) return;
    this.#depth++;
    try {
      this.step();
    } finally {
      this.#depth--;
    }
  }

  /** A fault callback that may bring the page back, claim that it did, fail, or do something else. */
  #serve(devmem: api.HmmDevmem, address: number): number {
    this.#nested();
    if (this.#random.chance(0.2)) return this.#random.pick([0, 1, 2]);
    const mm = this.#mms.find((one) => !one.closed && one.findVma(address) !== null);
    if (mm === undefined) return 2;
    let m: api.Migration | undefined;
    this.#try("serve", () => {
      m = api.migrateVmaSetup({
        vma: mm.findVma(address),
        start: address,
        end: address + api.PAGE_SIZE,
        owner: devmem,
      });
      this.hmm.allocPages(m.src, m.dst);
      this.hmm.copyPages(m.src, m.dst);
      this.#nested();
      m.pages();
    });
    this.#try("serve end", () => m?.finalize());
    return 0;
  }

  #page(): number {
    return BASE + this.#random.pick(SPOTS) * api.PAGE_SIZE;
  }

  #length(): number {
    return this.#random.pick([1, 1, 2, 3, 8, 512]) * api.PAGE_SIZE;
  }

  #pfn(): number {
    return pickPfn(this.#random, this.#mms, this.#migrations, this.#devmems);
  }

  /** Runs a call. Its refusal is right; anything else that it throws is not. */
  #try(name: string, call: () => void): void {
    this.#trace.push(`${" ".repeat(this.#depth)}${name}`);
    const kind = name.replace(/ \d+$/, "");
    const seen = this.seen.get(kind) ?? { done: 0, refused: 0 };
    this.seen.set(kind, seen);
    try {
      call();
      seen.done++;
    } catch (error) {
      this.#check(error);
      seen.refused++;
    }
  }

  #check(error: unknown): void {
    if (error instanceof Broken) throw error;
    if (error instanceof AggregateError) return error.errors.forEach((one) => this.#check(one));
    const refused =
      error instanceof api.HmmError || error instanceof TypeError || error instanceof RangeError
        ? REFUSAL.test(error.message)
        : false;
    if (refused) return;
    this.#fail(error);
  }

  step(): void {
    const random = this.#random;
    const mm = random.pick(this.#mms);
    const open = this.#migrations.filter((m) => !m.closed);
    this.#migrations = open;
    if (this.#stale.length > 0 && random.chance(0.03)) this.#writeStale();
    const m = open.length > 0 ? random.pick(open) : null;
    if (m !== null && random.chance(0.5)) this.#misuseMigration(m, mm);
    else if (random.chance(0.4)) this.#misusePage();
    else if (random.chance(0.35)) this.#begin(mm);
    else this.#live(mm);
  }

  /** Writes to an array of a migration that has ended: to linear memory, which may be used otherwise. */
  #writeStale(): void {
    const random = this.#random;
    const words = random.pick(this.#stale);
    this.#try("stale words", () => {
      for (let i = random.below(words.length); i < words.length && random.chance(0.9); i++)
        words[i] = random.below(2 ** 32);
    });
  }

  #misuseMigration(m: api.Migration, mm: api.Mm): void {
    const random = this.#random;
    if (this.#writes && this.#stale.length < 8 && random.chance(0.2)) this.#stale.push(m.src, m.dst);
    const words = random.chance(0.5) ? m.src : m.dst;
    const i = random.below(m.npages);
    const word = pickWord(random, m, this.#pfn());
    const calls: Call[] = [
      ...(this.#writes ? ([["word", () => void (words[i] = word)]] as Call[]) : []),
      ["clear MIGRATE", () => void (m.src[i] &= ~api.MIGRATE_PFN_MIGRATE)],
      ["allocPages", () => void random.pick(this.#devmems).allocPages(m.src, m.dst)],
      ["allocPages", () => void random.pick(this.#devmems).allocPages(m.src, m.dst)],
      ["hmm.allocPages", () => void this.hmm.allocPages(m.src, m.dst)],
      ["copyPages", () => void this.hmm.copyPages(m.src, m.dst)],
      ["dst", () => void (m.dst[i] = (api.MIGRATE_PFN_VALID | random.pick(this.#devmems).allocPage()) >>> 0)],
      ["pages", () => void m.pages()],
      ["pages", () => void this.#locked(mm, () => m.pages())],
      ["pages", () => void this.#locked(mm, () => m.pages())],
      ["finalize", () => m.finalize()],
    ];
    this.#try(...random.pick(calls));
  }

  #misusePage(): void {
    const random = this.#random;
    const pfn = this.#pfn();
    const calls: Call[] = [
      ["pageGet", () => this.hmm.pageGet(pfn)],
      ["pagePut", () => this.hmm.pagePut(pfn)],
      ["pagePut", () => this.hmm.pagePut(pfn)],
      ["pageLock", () => void this.hmm.pageLock(pfn)],
      ["pageUnlock", () => this.hmm.pageUnlock(pfn)],
      ["pageIsolate", () => void this.hmm.pageIsolate(pfn)],
      ["pagePutback", () => this.hmm.pagePutback(pfn)],
      ["pageBytes", () => this.hmm.pageBytes(pfn, (bytes) => void (bytes[0] = 1))],
      ["allocPage", () => void this.hmm.allocPage()],
    ];
    const [name, call] = random.pick(calls);
    this.#try(`${name} ${pfn}`, call);
  }

  #locked<T>(mm: api.Mm, call: () => T): T {
    const lock = mm.mmapSem.read();
    try {
      return call();
    } finally {
      lock.close();
    }
  }

  /** Something that holds pages: a migration, a pin, a loan. */
  #begin(mm: api.Mm): void {
    const random = this.#random;
    const start = this.#page();
    const end = start + this.#length();
    const owner = random.pick(this.#devmems);
    const select = random.pick([undefined, 1, 2, 4, 7, 7 | api.MIGRATE_VMA_SELECT_COMPOUND]);
    const args = { vma: null, start, end, owner };
    const setup = (): api.Migration =>
      api.migrateVmaSetup({ ...args, ...(select === undefined ? {} : { select }), vma: mm.findVma(start) });
    const calls: Call[] = [
      ["setup", () => void this.#migrations.push(this.#locked(mm, setup))],
      ["setup", () => void this.#migrations.push(this.#locked(mm, setup))],
      [
        "deviceRange",
        () =>
          void this.#migrations.push(api.migrateDeviceRange(owner, owner.pfnFirst, random.between(1, 40))),
      ],
      [
        "devicePfns",
        () => {
          const pfns = Array.from({ length: random.between(1, 8) }, () => owner.pfnFirst + random.below(64));
          this.#migrations.push(api.migrateDevicePfns(owner, pfns));
        },
      ],
      [
        "pin",
        () =>
          void this.#pins.push(
            mm.pin(start, random.between(1, 4), { write: random.chance(0.5), longTerm: random.chance(0.5) }),
          ),
      ],
      ["pin.close", () => this.#pins.splice(random.below(this.#pins.length), 1)[0]?.close()],
      [
        "exclusive",
        () =>
          void this.#exclusive.push(
            this.#locked(mm, () => api.makeDeviceExclusive(mm, start, random.between(1, 4), owner)),
          ),
      ],
      ["exclusive.close", () => this.#exclusive.splice(random.below(this.#exclusive.length), 1)[0]?.close()],
    ];
    this.#try(...random.pick(calls));
  }

  /** What processes do. */
  #live(mm: api.Mm): void {
    const random = this.#random;
    const start = this.#page();
    const range = { mm, start, length: this.#length() };
    const calls: Call[] = [
      ...accessCalls(random, range),
      ...mappingCalls(random, range, this.#file),
      ...fileCalls(random, this.#file),
      ["rangeFault", () => this.#rangeFault(mm, start)],
      ["fork", () => void (this.#mms.length < 4 && this.#mms.push(mm.fork()))],
      ["close", () => this.#close(mm)],
      ["ksmScan", () => void this.hmm.ksmScan()],
    ];
    this.#try(...random.pick(calls));
  }

  #rangeFault(mm: api.Mm, start: number): void {
    const notifier = new api.MmuIntervalNotifier(mm, start, 4 * api.PAGE_SIZE, { invalidate: () => true });
    try {
      const seq = notifier.readBegin();
      const pfns = new Uint32Array(4);
      const end = start + 4 * api.PAGE_SIZE;
      const args = { notifier, notifierSeq: seq, start, end, pfns, defaultFlags: 0x80000000 };
      this.#locked(mm, () => api.hmmRangeFault(args));
    } finally {
      notifier.close();
    }
  }

  #close(mm: api.Mm): void {
    if (this.#mms.length < 2) return;
    mm.close();
    if (mm.closed) this.#mms = this.#mms.filter((one) => one !== mm);
  }

  /** The engine's own invariants, which no driver may break. */
  verify(): void {
    try {
      this.hmm.verify();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): never {
    const last = this.#trace.slice(-12).join("\n    ");
    throw new Broken(`${String(error)}; the last calls:\n    ${last}`, { cause: error });
  }

  /** Gives back what the world holds; then the engine must work as if nothing had happened. */
  end(): void {
    for (const m of this.hmm.migrations()) this.#try("end: finalize", () => m.finalize());
    for (const pin of this.#pins.splice(0)) this.#try("end: unpin", () => pin.close());
    for (const pages of this.#exclusive.splice(0)) this.#try("end: exclusive", () => pages.close());
    for (const mm of this.#mms) this.#try("end: close", () => mm.close());
    this.#try("end: file", () => this.#file.close());
    this.verify();
    this.#try("end: another process", () => {
      const mm = this.hmm.createMm();
      mm.mmap({
        addr: BASE,
        length: api.PAGE_SIZE,
        flags: api.MAP_PRIVATE | api.MAP_ANONYMOUS | api.MAP_FIXED,
      });
      mm.close();
    });
  }
}
