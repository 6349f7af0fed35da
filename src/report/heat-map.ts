/**
 * Where pages lie over time: rows of addresses, columns of time. When there are too many rows, pairs of
 * neighbors are merged, so that memory is bounded by the program's pages and not by the run's length.
 */
import type { HeatPicture } from "./picture.ts";
import { COLUMNS, Gauge, type TimeAxis } from "./time-axis.ts";

const PAGE_BYTES = 4096;
/** Rows, at most. */
const ROWS = 128;
/** Pages of a chunk of the map of places, and bits of a page in it. */
const CHUNK_PAGES = 512;
const IN_RAM = 1;
const ON_DEVICE = 2;
const SHARE_MAX = 255;

/** Pages of a row that lie on the device, and in RAM. */
interface Row {
  device: Gauge;
  ram: Gauge;
}

export class HeatMap {
  readonly #axis: TimeAxis;
  #rowBytes = PAGE_BYTES;
  /** By address divided by #rowBytes. */
  #rows = new Map<number, Row>();
  /** By page number divided by CHUNK_PAGES: where each page lies. */
  readonly #places = new Map<number, Uint8Array>();

  constructor(axis: TimeAxis) {
    this.#axis = axis;
  }

  /** Pages came to RAM or to a device, or left it. Returns by how many pages on the device that changes. */
  change(time: number, address: number, pages: number, onDevice: boolean, came: boolean): number {
    const bit = onDevice ? ON_DEVICE : IN_RAM;
    let changed = 0;
    for (let i = 0; i < pages; i++) {
      const page = Math.floor(address / PAGE_BYTES) + i;
      const chunk = this.#chunkOf(page);
      const was = (chunk[page % CHUNK_PAGES] & bit) !== 0;
      if (was === came) continue;
      chunk[page % CHUNK_PAGES] ^= bit;
      const row = this.#rowOf(page * PAGE_BYTES, time);
      (onDevice ? row.device : row.ram).add(time, came ? 1 : -1);
      changed += came ? 1 : -1;
    }
    return onDevice ? changed : 0;
  }

  /** Returns the picture up to a time: shares of each row's pages, from 0 to 255, a byte a column. */
  picture(time: number, columns: number): HeatPicture {
    const pages = this.#rowBytes / PAGE_BYTES;
    const sharesOf = (gauge: Gauge): string => {
      const shares = Array.from(gauge.until(time).subarray(0, columns), (sum, i) => {
        const share = Math.round((SHARE_MAX * sum) / (pages * this.#axis.lengthOf(i, time)));
        return Math.min(SHARE_MAX, sum === 0 ? 0 : Math.max(1, share));
      });
      return btoa(String.fromCharCode(...shares));
    };
    const rows = [...this.#rows].sort(([a], [b]) => a - b);
    return {
      rowBytes: this.#rowBytes,
      rows: rows.map(([number, { device, ram }]) => ({
        start: number * this.#rowBytes,
        device: sharesOf(device),
        ram: sharesOf(ram),
      })),
    };
  }

  #chunkOf(page: number): Uint8Array {
    const number = Math.floor(page / CHUNK_PAGES);
    let chunk = this.#places.get(number);
    if (chunk === undefined) this.#places.set(number, (chunk = new Uint8Array(CHUNK_PAGES)));
    return chunk;
  }

  #rowOf(address: number, time: number): Row {
    let row = this.#rows.get(Math.floor(address / this.#rowBytes));
    if (row !== undefined) return row;
    while (this.#rows.size === ROWS) {
      this.#double(time);
      row = this.#rows.get(Math.floor(address / this.#rowBytes));
      if (row !== undefined) return row;
    }
    row = { device: new Gauge(this.#axis), ram: new Gauge(this.#axis) };
    this.#rows.set(Math.floor(address / this.#rowBytes), row);
    return row;
  }

  #double(time: number): void {
    this.#rowBytes *= 2;
    const merged = new Map<number, Row>();
    for (const [number, row] of this.#rows) {
      const at = Math.floor(number / 2);
      const other = merged.get(at);
      if (other === undefined) merged.set(at, row);
      else {
        other.device.merge(row.device, time);
        other.ram.merge(row.ram, time);
      }
    }
    this.#rows = merged;
  }
}

/** Returns the columns that a run of some length uses. */
export function columnsOf(axis: TimeAxis, end: number): number {
  return Math.min(COLUMNS, axis.column(Math.max(0, end)) + 1);
}
