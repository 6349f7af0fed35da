/**
 * P13: device faults that the driver serves by mirroring. A batch is 256 neighboring pages that are present
 * for the CPU. The driver calls hmmRangeFault under an interval notifier and maps the result in the device's
 * table.
 */
import { DeviceTable, HMM_PFN_REQ_FAULT, MmuIntervalNotifier, hmmRangeFault } from "../../src/index.ts";
import type { Hmm, Mm, PfnArray } from "../../src/index.ts";
import { MIB, PAGE, PRIVATE, createEngine } from "../engine.ts";
import { HASH_SEED, hashWords } from "../harness.ts";
import type { Row, Sample, Side } from "../harness.ts";
import { fasterTwin } from "../native.ts";
import { StageClock } from "../stage-clock.ts";

/** Stages of a batch. */
const STAGES = ["lock and begin", "range fault", "retry", "map", "unlock"] as const;

const FAULTS = 256;

class DeviceFaults implements Side {
  readonly #mm: Mm;
  readonly #start: number;
  readonly #bytes: number;
  readonly #table: DeviceTable;
  readonly #notifier: MmuIntervalNotifier;
  readonly #pfns: PfnArray;
  /** Null unless the stages are being measured. */
  #clock: StageClock | null = null;

  constructor(hmm: Hmm, bytes: number) {
    this.#mm = hmm.createMm();
    this.#bytes = bytes;
    this.#start = this.#mm.mmap({ length: bytes, ...PRIVATE });
    this.#mm.populate(this.#start, bytes);
    const table = new DeviceTable(this.#mm);
    this.#table = table;
    this.#notifier = new MmuIntervalNotifier(this.#mm, this.#start, bytes, {
      invalidate: ({ start, end }) => void table.clear(start, end),
    });
    this.#pfns = hmm.pfnArray(FAULTS);
  }

  run(): Sample {
    const end = this.#start + this.#bytes;
    const clock = performance.now();
    for (let start = this.#start; start < end; start += FAULTS * PAGE) this.#batch(start);
    const ns = (performance.now() - clock) * 1e6;
    const entries = this.#table.snapshot(this.#start, this.#bytes / PAGE);
    this.#table.clear(this.#start, end);
    return { ns, hash: hashWords(HASH_SEED, entries) };
  }

  /** Returns the nanoseconds of each stage of a batch, as text. */
  stages(): string {
    const clock = new StageClock(STAGES);
    this.#clock = clock;
    const text = clock.measure(() => void this.run(), this.#bytes / PAGE / FAULTS);
    this.#clock = null;
    return text;
  }

  #batch(start: number): void {
    const notifier = this.#notifier;
    const clock = this.#clock;
    clock?.start();
    const sem = this.#mm.mmapSem.read();
    for (;;) {
      const notifierSeq = notifier.readBegin();
      const end = start + FAULTS * PAGE;
      const pfns = this.#pfns;
      clock?.lap(0);
      const answer = hmmRangeFault({
        notifier,
        notifierSeq,
        start,
        end,
        pfns,
        defaultFlags: HMM_PFN_REQ_FAULT,
      });
      if (answer !== 0) throw new Error(`hmmRangeFault: ${answer}`);
      clock?.lap(1);
      if (notifier.readRetry(notifierSeq)) continue;
      clock?.lap(2);
      this.#table.map(start, pfns);
      clock?.lap(3);
      break;
    }
    sem.close();
    clock?.lap(4);
  }
}

const row: Row = {
  title: "device faults in batches of 256, mirrored, pages present",
  unit: "fault",
  async run(context) {
    const bytes = context.smoke ? 4 * MIB : 256 * MIB;
    const hmm = await createEngine({ systemMemory: bytes, backing: "metadata" });
    const ours = new DeviceFaults(hmm, bytes);
    const results = await context.compare({
      ours,
      units: bytes / PAGE,
      rivals: [
        fasterTwin("twin", "device-faults", [bytes, 0], 1.5),
        fasterTwin("vectors", "device-faults", [bytes, 1], 1.3),
      ],
    });
    context.note(`stages, ns a batch of ${FAULTS}: ${ours.stages()}`);
    hmm.verify();
    hmm.close();
    return results;
  },
};
export default row;
