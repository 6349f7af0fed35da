/**
 * An engine under the rules of one kernel, a process, and a device that hears and moves what it is told to.
 */
import {
  eventName,
  Hmm,
  hmmDevmemAdd,
  MADV_HUGEPAGE,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_COHERENT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateVmaSetup,
  MmuIntervalNotifier,
  PAGE_SIZE,
  VM_FAULT_OOM,
  type HmmDevmem,
  type LinuxVersion,
  type Mm,
} from "../../../src/index.ts";
import { AT, MIB, PMD } from "../../util/huge.ts";
import type { Test } from "uvu";
import * as assert from "uvu/assert";

export const P = PAGE_SIZE;
const SPACE = 2 ** 47;

/** How the device finds destinations: large ones, small ones for large pages too, or none. */
type Room = "large" | "small" | "none";

export class World {
  readonly hmm: Hmm;
  readonly mm: Mm;
  readonly devmem: HmmDevmem;
  /** What the way back finds. */
  back: Room = "large";
  /** Whether it selects whole huge pages, which 6.12 does not know. */
  units: boolean;
  private heard: string[] = [];

  constructor(module: WebAssembly.Module, linux: LinuxVersion, coherent = false) {
    this.hmm = Hmm.createSync(module, {
      systemMemory: 16 * MIB,
      deviceMemory: 8 * MIB,
      swap: 8 * MIB,
      linux,
    });
    this.units = linux === "7.3";
    this.mm = this.hmm.createMm();
    this.hear(this.mm, "");
    const fault = (
      _devmem: unknown,
      vma: { mm: Mm },
      address: number,
      page: number,
      _: number,
      order: number,
    ) => {
      const start = address - (address % (P << order));
      return this.migrate("system", start, start + (P << order), {
        mm: vma.mm,
        faultPage: page,
        room: this.back,
      });
    };
    const free = (): void => undefined;
    this.devmem = hmmDevmemAdd(this.hmm, { fault: fault, free }, this, 8 * MIB, { coherent });
  }

  /** Records the events of a process, with pages counted from AT. */
  hear(mm: Mm, prefix: string): void {
    const page = (address: number): number => (address - AT) / P;
    new MmuIntervalNotifier(mm, 0, SPACE, {
      invalidate: ({ event, start, end }) => {
        if (end - start < SPACE / 2)
          this.heard.push(`${prefix}${eventName(event)} ${page(start)}-${page(end)}`);
      },
    });
  }

  /** Returns the events since the last call. */
  events(): string[] {
    return this.heard.splice(0).map((text) => text.replace("MMU_NOTIFY_", "").toLowerCase());
  }

  /** Maps n pages from page `first` on. */
  map(first: number, n: number, huge = false): void {
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    this.mm.mmap({ addr: AT + first * P, length: n * P, flags });
    if (huge) this.mm.madvise(AT + first * P, n * P, MADV_HUGEPAGE);
  }

  /** Writes one byte to each of n pages. */
  fill(first = 0, n = PMD / P): void {
    for (let i = first; i < first + n; i++) this.write(i);
  }

  write(page: number, mm = this.mm): void {
    mm.write(AT + page * P, Uint8Array.of((page & 127) + 1));
  }

  byte(page: number, mm = this.mm): number {
    return mm.read(AT + page * P, new Uint8Array(1))[0];
  }

  /** Migrates pages [first, end) to the device. Returns how many moved. */
  toDevice(first: number, end: number, room: Room = "large"): number {
    this.migrate("device", AT + first * P, AT + end * P, { room });
    return this.moved;
  }

  /** Migrates pages [first, end) to system memory. Returns how many moved. */
  toSystem(first: number, end: number): number {
    this.migrate("system", AT + first * P, AT + end * P, {});
    return this.moved;
  }

  private moved = 0;

  private migrate(
    to: "device" | "system",
    start: number,
    end: number,
    { mm = this.mm, faultPage, room = "large" }: { mm?: Mm; faultPage?: number; room?: Room },
  ): number {
    using _sem = mm.mmapSem.read();
    const own = this.devmem.coherent ? MIGRATE_VMA_SELECT_DEVICE_COHERENT : MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
    const units = this.units ? MIGRATE_VMA_SELECT_COMPOUND : 0;
    const select = units | (to === "device" ? MIGRATE_VMA_SELECT_SYSTEM : own);
    using m = migrateVmaSetup({ vma: mm.findVma(start), start, end, owner: this, select, faultPage });
    if (room === "none") return VM_FAULT_OOM;
    const wanted = m.src.slice();
    if (room === "small" && m.npages === 512) {
      for (let i = 0; i < 512; i++) {
        m.dst[i] = (0x80000000 | (to === "device" ? this.devmem.allocPage() : this.hmm.allocPage())) >>> 0;
      }
      wanted.fill(0);
    }
    if (to === "device") this.devmem.allocPages(wanted, m.dst);
    else this.hmm.allocPages(wanted, m.dst);
    this.hmm.copyPages(m.src, m.dst);
    this.moved = m.pages();
    return 0;
  }
}

/** Runs a scenario under both kernels' rules and compares what it returns. */
export function both(
  test: Test,
  module: WebAssembly.Module,
  name: string,
  scenario: (world: World) => unknown,
  expected: Record<LinuxVersion, unknown>,
): void {
  for (const linux of ["6.12", "7.3"] as const) {
    test(`${name}, ${linux}`, () => {
      const world = new World(module, linux);
      assert.equal(scenario(world), expected[linux]);
      world.hmm.verify();
    });
  }
}

/** Runs a scenario under the rules of 7.3. */
export function newer(
  test: Test,
  module: WebAssembly.Module,
  name: string,
  scenario: (world: World) => void,
  coherent = false,
): void {
  test(name, () => {
    const world = new World(module, "7.3", coherent);
    scenario(world);
    world.hmm.verify();
  });
}
