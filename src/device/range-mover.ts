/**
 * Whole migrations in one call of the core, for drivers that decide nothing between migrate_vma_setup and
 * migrate_vma_finalize.
 */
import { MOVE_BYTES, MOVE_COPIED, MOVE_MOVED, MOVE_USED, MOVE_WRITTEN } from "../../assembly/abi/argument.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import type { Context } from "../engine/context.ts";
import { run } from "../engine/request.ts";
import { PfnArray } from "../page/arrays.ts";
import type { Mm } from "../space/mm.ts";
import type { DeviceTable } from "./device-table.ts";
import type { HmmDevmem } from "./devmem.ts";

/**
 * Moves ranges of an address space to one device's memory and back. The driver's part is the usual one:
 * destinations for as many pages as there is memory for, their bytes copied, the device's table brought up to
 * date. The devmem must have no `free` callback, since pages that leave it are free at once. After a call the
 * answers say what happened to which page, until the next call. The caller closes it.
 */
export class RangeMover {
  readonly #ctx: Context;
  readonly #mm: Mm;
  readonly #devmem: HmmDevmem;
  readonly #table: DeviceTable;
  /** The answers, where the core writes them and by halfwords. */
  readonly #out: PfnArray;
  readonly #address: number;
  readonly #bits: Uint16Array;
  #start = 0;

  /** Throws HmmError ENOMEM if the arena has no room for the answers. */
  constructor(mm: Mm, devmem: HmmDevmem, table: DeviceTable) {
    const ctx = devmem.check("new RangeMover");
    this.#ctx = ctx;
    this.#mm = mm;
    this.#devmem = devmem;
    this.#table = table;
    this.#out = PfnArray.allocate(ctx, MOVE_BYTES / 4);
    this.#address = this.#out.byteOffset;
    this.#bits = new Uint16Array(ctx.mem.buffer, this.#address, MOVE_BYTES / 2);
  }

  /**
   * Moves the pages of [start, end), page addresses at most 2 MiB apart, to the device: the
   * steps of migrateVmaSetup with SELECT_SYSTEM, devmem.allocPages, copyPages, pages(), mapMigrated and
   * finalize(). mmapSem is held. Returns how many moved. Throws HmmError EINVAL unless one mapping that HMM
   * handles contains the range, ENOMEM if no migration or no arena is left.
   */
  toDevice(start: number, end: number): number {
    return this.#move("moveToDevice", start, end, 1, 0);
  }

  /**
   * Moves the device's own pages of [start, end) to system memory, in the same way. If memory is scarce, the
   * page at `first` gets a frame before all others. In the device's fault callback the fault's page may be
   * among them. Returns how many moved. Throws as {@link toDevice}.
   */
  toSystem(start: number, end: number, first: number): number {
    return this.#move("moveToSystem", start, end, 0, (first - start) / PAGE_SIZE);
  }

  /** The pages of the aligned 64 KiB at `base` that the last call moved, a bit each. */
  moved(base: number): number {
    return this.#answer(MOVE_MOVED, base);
  }

  /** Those of {@link moved} that there were before: the others were holes. */
  copied(base: number): number {
    return this.#answer(MOVE_COPIED, base);
  }

  /** The pages that the device had written before the last call of {@link toSystem}, moved or not. */
  written(base: number): number {
    return this.#answer(MOVE_WRITTEN, base);
  }

  /** The pages that the device had accessed before the last call of {@link toSystem}, moved or not. */
  used(base: number): number {
    return this.#answer(MOVE_USED, base);
  }

  /** How many pages of [start, end), page addresses, the table has in the device's memory. */
  count(start: number, end: number): number {
    return this.#ctx.core.deviceTableCount(this.#table.id, start, end, this.#devmem.zone);
  }

  /** Gives the memory back. */
  close(): void {
    this.#out.close();
  }

  #answer(which: number, base: number): number {
    return this.#bits[which / 2 + groupOf(base) - groupOf(this.#start)];
  }

  #move(op: string, start: number, end: number, toDevice: number, first: number): number {
    const ctx = this.#ctx;
    const mm = this.#mm;
    mm.mmapSem.demand(op, false);
    this.#start = start;
    const { zone } = this.#devmem;
    const faultPage = toDevice === 0 ? this.#faultPage(start, end) : 0;
    const { id: table } = this.#table;
    const { core } = ctx;
    const out = this.#address;
    const answer = core.migrateMove(mm.id, start, end, toDevice, zone, table, first, faultPage, out);
    return ctx.finish(op, run(ctx, answer));
  }

  /** The page of the fault that the device serves now, if it is in the range; else 0. */
  #faultPage(start: number, end: number): number {
    const { faults } = this.#ctx;
    if (faults.length === 0) return 0;
    const { mm, address, page } = faults[faults.length - 1];
    return mm === this.#mm && address >= start && address < end ? page : 0;
  }
}

/** The number of the aligned 64 KiB in which an address lies. */
function groupOf(address: number): number {
  return Math.floor(address / 0x10000);
}
