/**
 * Accesses of two synthetic programs, as decoded records (RECORD_*). In both, a CPU and a device take turns
 * on one address space. Device memory for half of their bytes makes pages leave the device and come back.
 */
import { RECORD_AGENT_SHIFT, RECORD_SIZE_SHIFT } from "../assembly/abi/record.ts";
import { MIB, PAGE } from "./engine.ts";
import { random } from "./harness.ts";

export interface Trace {
  readonly name: string;
  /** Two words an access. */
  readonly records: BigUint64Array<ArrayBuffer>;
  /** All accesses lie in [start, start + bytes). */
  readonly start: number;
  readonly bytes: number;
}

const START = 0x2000_0000;
const CPU = 0;
const DEVICE = 1;
const LOAD = 0;
const STORE = 1;
const SIZE = 8;

/** Collects accesses up to a given number and drops the rest. */
class Recorder {
  readonly #words: Uint32Array;
  readonly records: BigUint64Array<ArrayBuffer>;
  #at = 0;

  constructor(accesses: number) {
    this.records = new BigUint64Array(2 * accesses);
    this.#words = new Uint32Array(this.records.buffer);
  }

  get full(): boolean {
    return this.#at === this.#words.length;
  }

  add(agent: number, kind: number, address: number): void {
    if (this.full) return;
    this.#words[this.#at++] = address;
    this.#words[this.#at++] = SIZE << (RECORD_SIZE_SHIFT - 32);
    this.#words[this.#at++] = kind | (agent << RECORD_AGENT_SHIFT);
    this.#words[this.#at++] = 0; // no code address
  }
}

/**
 * The trace "local". The CPU fills a plate whose rows are one page each. The device then sweeps from this
 * plate to another and back, with five accesses a cell. Every 64 rows the CPU reads the row that the device
 * has just written.
 */
function stencil(accesses: number, bytes: number): Trace {
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
 * The trace "irregular". The device looks up items in a hash table that the CPU has built. For each batch the
 * CPU writes the items; the device reads each item and one or two buckets and writes a result; the CPU reads
 * the results. Buckets are random within a quarter of the table, which moves by 64 KiB a batch. One bucket in
 * 1024 lies anywhere.
 */
function hashJoin(accesses: number, bytes: number): Trace {
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

/** Returns the traces of rows P7 and P16. */
export const traces = (accesses: number, smoke: boolean): Trace[] =>
  smoke
    ? [stencil(accesses, MIB / 2), hashJoin(accesses, MIB / 2)]
    : [stencil(accesses, 4 * MIB), hashJoin(accesses, 16 * MIB)];

/** Returns the traces that row P7 replays with little device memory, where most clusters come and go. */
export const pressedTraces = (smoke: boolean): Trace[] =>
  smoke ? [hashJoin(130_000, 2 * MIB)] : [stencil(2_000_000, 4 * MIB), hashJoin(400_000, 4 * MIB)];
