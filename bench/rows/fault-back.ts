/**
 * P12: a CPU touches pages that are in device memory, and a driver in TypeScript brings them back: one page a
 * fault, or the 64 KiB cluster around it. The rival does the same copies and table work in C.
 */
import {
  HmmMirror,
  MIGRATE_VMA_SELECT_SYSTEM,
  hmmDevmemAdd,
  hmmMirrorRegister,
  migrateVmaSetup,
} from "../../src/index.ts";
import type { Hmm, HmmDevmem, Mm } from "../../src/index.ts";
import { BATCH, MIB, PAGE, PRIVATE, createEngine } from "../engine.ts";
import { HASH_SEED, hashWord } from "../harness.ts";
import type { Context, Result, Row, Sample, Side } from "../harness.ts";
import { fasterTwin, floor, floorNote } from "../native.ts";
import { StageClock } from "../stage-clock.ts";

/** Stages of a fault: until the driver is called, the driver's steps, and until the CPU has its word. */
const STAGES = ["request", "setup", "allocate", "copy", "pages", "finalize", "back"] as const;

class FaultBack implements Side {
  readonly #mm: Mm;
  readonly #start: number;
  readonly #bytes: number;
  readonly #cluster: number;
  readonly #devmem: HmmDevmem;
  readonly #hmm: Hmm;
  /** Null unless the stages are being measured. */
  #clock: StageClock | null = null;

  constructor(hmm: Hmm, bytes: number, cluster: number) {
    this.#hmm = hmm;
    this.#bytes = bytes;
    this.#cluster = cluster;
    this.#mm = hmm.createMm();
    this.#start = this.#mm.mmap({ length: bytes, ...PRIVATE });
    this.#mm.populate(this.#start, bytes);
    for (let i = 0; i < bytes / PAGE; i++) this.#mm.store32(this.#start + i * PAGE, i);
    hmmMirrorRegister(new HmmMirror({ update() {} }), this.#mm);
    this.#devmem = hmmDevmemAdd(
      hmm,
      {
        fault: (_devmem, vma, address) => {
          const clock = this.#clock;
          clock?.lap(0);
          const start = Math.floor(address / cluster) * cluster;
          const m = migrateVmaSetup({ vma, start, end: start + cluster });
          clock?.lap(1);
          hmm.allocPages(m.src, m.dst);
          clock?.lap(2);
          hmm.copyPages(m.src, m.dst);
          clock?.lap(3);
          m.pages();
          clock?.lap(4);
          m.finalize();
          clock?.lap(5);
          return 0;
        },
      },
      this,
      bytes,
    );
  }

  run(): Sample {
    const mm = this.#mm;
    const start = this.#start;
    const end = start + this.#bytes;
    this.#toDevice();
    const clock = performance.now();
    let sum = 0;
    for (let at = start; at < end; at += this.#cluster) sum = (sum + mm.load32(at)) >>> 0;
    const ns = (performance.now() - clock) * 1e6;
    let hash = hashWord(HASH_SEED, sum);
    for (let at = start; at < end; at += PAGE)
      hash = hashWord(hashWord(hash, mm.lookupPte(at)!.flags & 0xc0000000), mm.load32(at));
    return { ns, hash };
  }

  /** Returns the nanoseconds of each stage of a fault, as text. */
  stages(): string {
    const mm = this.#mm;
    const clock = new StageClock(STAGES);
    this.#clock = clock;
    const end = this.#start + this.#bytes;
    const repetition = (): void => {
      this.#toDevice();
      for (let at = this.#start; at < end; at += this.#cluster) {
        clock.start();
        mm.load32(at);
        clock.lap(6);
      }
    };
    const text = clock.measure(repetition, this.#bytes / this.#cluster);
    this.#clock = null;
    return text;
  }

  #toDevice(): void {
    const sem = this.#mm.mmapSem.read();
    const vma = this.#mm.findVma(this.#start)!;
    const last = this.#start + this.#bytes;
    for (let start = this.#start; start < last; start += BATCH * PAGE) {
      const end = Math.min(start + BATCH * PAGE, last);
      const m = migrateVmaSetup({ vma, start, end, select: MIGRATE_VMA_SELECT_SYSTEM, owner: this });
      this.#devmem.allocPages(m.src, m.dst);
      this.#hmm.copyPages(m.src, m.dst);
      m.pages();
      m.finalize();
    }
    sem.close();
  }
}

async function measure(
  name: string,
  clusterPages: number,
  target: number,
  context: Context,
): Promise<Result[]> {
  const bytes = context.smoke ? 2 * MIB : 64 * MIB;
  const hmm = await createEngine({ systemMemory: bytes, deviceMemory: bytes });
  const ours = new FaultBack(hmm, bytes, clusterPages * PAGE);
  const results = await context.compare({
    ours,
    units: bytes / PAGE / clusterPages,
    rivals: [fasterTwin(`twin-${name}`, "fault-back", [bytes, clusterPages], target)],
  });
  const copy = await floor("copy", bytes, 1);
  const cluster = copy === null ? null : (copy * clusterPages) / (bytes / PAGE);
  context.note(floorNote(`${name}: memcpy of the same bytes`, cluster));
  if (clusterPages === 1) {
    const alone = await floor("alone", bytes, 1);
    const page = alone === null ? null : alone / (bytes / PAGE);
    context.note(floorNote(`${name}: memcpy, where each copy starts after the previous one has ended`, page));
  }
  context.note(`stages of ${name}, ns a fault: ${ours.stages()}`);
  hmm.verify();
  hmm.close();
  return results;
}

const row: Row = {
  title: "CPU fault back from device memory",
  unit: "fault",
  async run(context) {
    return [
      ...(await measure("page", 1, 2, context)),
      ...(await measure("64-KiB-cluster", 16, 1.3, context)),
    ];
  },
};
export default row;
