/** Replays that page on demand: the core serves the device's faults, and says what came and what left. */
import { MOVE_BYTES } from "../../assembly/abi/argument.ts";
import { HDR_USES } from "../../assembly/abi/header.ts";
import { PAGING_EVENTS_MAX } from "../../assembly/abi/record.ts";
import type { Context } from "../engine/context.ts";
import type { Mm } from "../space/mm.ts";
import type { DeviceTable } from "./device-table.ts";
import type { HmmDevmem } from "./devmem.ts";

/**
 * Demand paging by the core, a page at a time, for a driver that decides nothing itself: the page that the
 * device used longest ago leaves if there is no room, and the page that faulted comes. The engine must list
 * pages by their use (trackUse), the notifier must be bound to the table, and the devmem must have no `free`
 * callback. The caller closes it.
 */
export class DemandPaging {
  /** What the last replay did, PAGING_*: the first {@link used} elements. */
  readonly events: Float64Array;
  used = 0;
  readonly #ctx: Context;
  readonly #devmem: HmmDevmem;
  readonly #table: DeviceTable;
  readonly #address: number;

  /** Throws HmmError ENOMEM if the arena has no room for the events. */
  constructor(devmem: HmmDevmem, table: DeviceTable) {
    const op = "new DemandPaging";
    this.#ctx = devmem.check(op);
    this.#devmem = devmem;
    this.#table = table;
    this.#address = this.#ctx.alloc(op, MOVE_BYTES + 8 * PAGING_EVENTS_MAX);
    this.events = new Float64Array(this.#ctx.mem.buffer, this.#address + MOVE_BYTES, PAGING_EVENTS_MAX);
  }

  /**
   * Runs records [at, n) at an address for `mm`, whose tables the exchange buffer has. `room` pages may come
   * before one must leave. Returns why it stopped.
   */
  replay(mm: Mm, records: number, [at, n]: readonly [at: number, n: number], room: number): number {
    const { core, mem } = this.#ctx;
    const { zone } = this.#devmem;
    const reason = core.replayPaging(mm.id, records, at, n, zone, this.#table.id, room, this.#address);
    this.used = mem.header(HDR_USES);
    return this.#ctx.finish("recordArray.replay", reason);
  }

  /** Gives the memory back. */
  close(): void {
    this.#ctx.core.arenaFree(this.#address);
  }
}
