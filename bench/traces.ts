/**
 * Accesses of two made-up programs, as decoded records (RECORD_*). Both have a CPU and a device that take turns on one
 * address space; a device memory of half their bytes makes pages leave and come back.
 */
import { RECORD_DEVICE_SHIFT, RECORD_KIND_SHIFT, RECORD_SIZE_SHIFT } from "../assembly/abi/record.ts";
import { MIB, PAGE } from "./engine.ts";
import { random } from "./harness.ts";

export interface Trace {
  readonly name: string;
  readonly records: BigUint64Array<ArrayBuffer>;
  /** Everything that it touches lies in [start, start + bytes). */
  readonly start: number;
  readonly bytes: number;
}

const START = 0x2000_0000;
const CPU = 0;
const DEVICE = 1;
const LOAD = 0;
const STORE = 1;
const SIZE = 8;

/** Takes accesses until it has as many as were asked for. */
class Recorder {
  readonly #words: Uint32Array;
  readonly records: BigUint64Array<ArrayBuffer>;
  #at = 0;

  constructor(accesses: number) {
    this.records = new BigUint64Array(accesses);
    this.#words = new Uint32Array(this.records.buffer);
  }

  get full(): boolean {
    return this.#at === this.#words.length;
  }

  add(agent: number, kind: number, address: number): void {
    if (this.full) return;
    this.#words[this.#at++] = address;
    this.#words[this.#at++] =
      (SIZE << (RECORD_SIZE_SHIFT - 32)) |
      (kind << (RECORD_KIND_SHIFT - 32)) |
      (agent << (RECORD_DEVICE_SHIFT - 32));
  }
}

/**
 * Local: the device sweeps from one plate of rows of a page each to another and back, five accesses a cell; every few
 * rows the CPU reads the row that was just made. The CPU has filled the first plate.
 */
export function stencil(accesses: number, bytes: number): Trace {
  const recorder = new Recorder(accesses);
  const plate = bytes / 2;
  const rows = plate / PAGE;
  for (let at = 0; at < plate; at += SIZE) recorder.add(CPU, STORE, START + at);
  for (let sweep = 0; !recorder.full; sweep++) {
    const from = START + (sweep % 2) * plate;
    const to = START + ((sweep + 1) % 2) * plate;
    for (let row = 1; row < rows - 1 && !recorder.full; row++) {
      for (let at = row * PAGE + SIZE; at < (row + 1) * PAGE - SIZE; at += SIZE) {
        recorder.add(DEVICE, LOAD, from + at - PAGE);
        recorder.add(DEVICE, LOAD, from + at - SIZE);
        recorder.add(DEVICE, LOAD, from + at + SIZE);
        recorder.add(DEVICE, LOAD, from + at + PAGE);
        recorder.add(DEVICE, STORE, to + at);
      }
      if (row % 64 === 0)
        for (let at = row * PAGE; at < (row + 1) * PAGE; at += SIZE) recorder.add(CPU, LOAD, to + at);
    }
  }
  return { name: "local", records: recorder.records, start: START, bytes };
}

const PROBES = 4096;
const BUCKET = 16;

/**
 * Irregular: the device looks items up in a hash table that the CPU has built. Item by item the CPU writes a batch of
 * them, the device reads each, one or two buckets, and writes a result, the CPU reads the results. Buckets are random
 * ones of a quarter of the table that moves on by 64 KiB a batch; one in 1024 is anywhere.
 */
export function hashJoin(accesses: number, bytes: number): Trace {
  const recorder = new Recorder(accesses);
  const below = random(19);
  const ring = bytes / 32;
  const items = START;
  const results = START + ring;
  const table = START + 2 * ring;
  const tableBytes = bytes - 2 * ring;
  const hot = tableBytes / 4;
  for (let at = 0; at < tableBytes; at += BUCKET) recorder.add(CPU, STORE, table + at);
  for (let batch = 0; !recorder.full; batch++) {
    const slot = (i: number): number => ((batch * PROBES + i) * SIZE) % ring;
    const window = (batch * 64 * 1024) % tableBytes;
    for (let i = 0; i < PROBES; i++) recorder.add(CPU, STORE, items + slot(i));
    for (let i = 0; i < PROBES && !recorder.full; i++) {
      const span = below(1024) === 0 ? tableBytes : hot;
      const bucket = (window + below(span / BUCKET) * BUCKET) % tableBytes;
      recorder.add(DEVICE, LOAD, items + slot(i));
      recorder.add(DEVICE, LOAD, table + bucket);
      if (below(4) === 0) recorder.add(DEVICE, LOAD, table + ((bucket + BUCKET) % tableBytes));
      recorder.add(DEVICE, STORE, results + slot(i));
    }
    for (let i = 0; i < PROBES; i++) recorder.add(CPU, LOAD, results + slot(i));
  }
  return { name: "irregular", records: recorder.records, start: START, bytes };
}

/** The sizes of row P7; P16 has the same. */
export const traces = (accesses: number, smoke: boolean): Trace[] =>
  smoke
    ? [stencil(accesses, MIB), hashJoin(accesses, MIB)]
    : [stencil(accesses, 4 * MIB), hashJoin(accesses, 16 * MIB)];
