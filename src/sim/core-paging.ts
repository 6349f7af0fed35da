/**
 * Demand paging that the core serves, a page at a time with LRU: the faults of most simulations of a program
 * with exact paging. The replay goes on after each fault; then the books learn what came and what left, in
 * the order in which it did, as if each fault had been served here.
 */
import { PAGING_CAME, PAGING_COPIED, PAGING_LEFT, PAGING_LEFT_DIRTY } from "../../assembly/abi/record.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { DemandPaging } from "../device/paging.ts";
import type { Settings } from "./config.ts";
import type { DeviceMemory } from "./device-room.ts";
import { isCoreLru } from "./paging-config.ts";

/** Whether the core can serve the faults of simulations with these settings. */
export function pagesInCore(settings: Settings): boolean {
  const { devices, cluster, prefetch, prefetchFull, placement, freeBuffer, failAlloc } = settings;
  const alone = devices === 1 && prefetch === "none" && prefetchFull === "none" && cluster === PAGE_SIZE;
  return alone && isCoreLru(settings) && placement === "migrate" && freeBuffer === 0 && failAlloc === null;
}

export class CorePaging {
  readonly #memory: DeviceMemory;
  readonly #by: DemandPaging;

  /** Takes memory of the engine, which close() gives back. Throws HmmError ENOMEM. */
  constructor(memory: DeviceMemory) {
    this.#memory = memory;
    this.#by = new DemandPaging(memory.driver.devmem, memory.driver.table);
  }

  /**
   * What the next replay pages with; null: someone follows each move, or a page of the device's memory has no
   * slot, so that faults are served one by one.
   */
  next(): { by: DemandPaging; room: number } | null {
    const { driver, residents, books } = this.#memory;
    if (books.isFollowed || driver.devmem.usedPages !== residents.size) return null;
    return { by: this.#by, room: residents.free };
  }

  /** Notes what the last replay did. Returns how many faults it served. */
  note(): number {
    const { residents, incoming, books } = this.#memory;
    const { events, used } = this.#by;
    const copiedBefore = books.pages.copied;
    let came = 0;
    for (let i = 0; i < used; i++) {
      const page = Math.floor(events[i] / 4);
      const what = events[i] - 4 * page;
      if (what === PAGING_LEFT || what === PAGING_LEFT_DIRTY) {
        incoming.full = true;
        residents.remove(page, true);
        books.pageEvicted(page, what === PAGING_LEFT_DIRTY);
      } else if (what === PAGING_CAME || what === PAGING_COPIED) {
        residents.add(page, "load");
        books.pageCame(page, what === PAGING_COPIED, residents.size);
        came++;
      }
    }
    books.pagesCopied(books.pages.copied - copiedBefore, "toDevice");
    books.pagesCopied(used - came, "toHost");
    books.groups += came;
    return came;
  }

  close(): void {
    this.#by.close();
  }
}
