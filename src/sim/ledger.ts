/** The books of a simulation: what was counted, for the whole run and for its parts. */
import {
  RECORD_MARK_KERNEL_BEGIN,
  RECORD_MARK_KERNEL_END,
  RECORD_MARK_RANGE,
  RECORD_MARK_RANGE_END,
} from "../../assembly/abi/record.ts";
import type { Hmm } from "../index.ts";
import type { Settings } from "./config.ts";
import {
  difference,
  NO_MANAGED_COUNTS,
  sum,
  together,
  type Accesses,
  type Counts,
  type CpuFaults,
  type DeviceCounts,
  type DeviceFaults,
  type LinkCounts,
  type ManagedCounts,
} from "./counts.ts";
import { RangeCounts, type RangeState } from "./range-counts.ts";
import { kernelName, type Mark, type MarkNames } from "./record-words.ts";
import { Sections, type SectionsState } from "./sections.ts";
import type { TimeCause } from "./time/causes.ts";
import type { CauseTime, Timeline } from "./time/timeline.ts";

/** What a snapshot keeps of the books. */
export interface LedgerState {
  accesses: Counts["accesses"];
  cpuFaults: CpuFaults;
  devices: DeviceTally[];
  position: number;
  base: Counts | null;
  deviceBase: OneDevice[];
  causeBase: Causes | null;
  sections: SectionsState;
  ranges: RangeState;
}

/** What the replay counts of a device. */
interface DeviceTally {
  accesses: Accesses;
  faults: DeviceFaults;
}

/** All that is counted of one device. */
export interface OneDevice extends DeviceTally, DeviceCounts {
  /** By the number of the other device. */
  links: Record<number, LinkCounts>;
}

/** The devices that are counted. */
export interface CountedDevices {
  readonly all: readonly {
    readonly number: number;
    /** Pages in its memory. */
    readonly pages: number;
    readonly books: { readonly peak: number; readonly links: Record<number, LinkCounts> };
    readonly counts: DeviceCounts;
  }[];
  /** Pages in the memory of all, and the most at one time. */
  readonly pages: number;
  readonly peak: number;
  /** What the drivers have counted, together. */
  readonly counts: DeviceCounts;
  /** What only managed memory counts. */
  readonly managed?: ManagedCounts;
  /** Notes what was used so far, where that is not known at once. */
  noteUses?(): void;
  /** The peaks of all that is counted begin here. */
  restartPeaks(): void;
  /** Says where moves are counted by name. */
  countIn(ranges: RangeCounts): void;
}

type Causes = Record<TimeCause, CauseTime>;

export class Ledger {
  readonly accesses: Counts["accesses"] = {
    cpu: { loads: 0, stores: 0 },
    device: { loads: 0, stores: 0, ram: { loads: 0, stores: 0 }, peer: { loads: 0, stores: 0 } },
  };
  readonly cpuFaults: CpuFaults = { zero: 0, anon: 0, cow: 0, reuse: 0, device: 0, other: 0 };
  /** By device, the first one at 0. */
  readonly devices: readonly DeviceTally[];
  readonly ranges: RangeCounts;
  readonly #sections: Sections;
  readonly #drivers: CountedDevices;
  /** The time model's clock; null: there is none. */
  readonly #timeline: Timeline | null;
  /** The first access that is replayed, the first that is counted, and the first after both. */
  readonly #replayFrom: number;
  readonly #countFrom: number;
  readonly #end: number;
  readonly #epoch: number;
  /** The accesses of the trace so far, replayed or not. */
  #position = 0;
  /** The counts where counting began; null before. */
  #base: Counts | null = null;
  #deviceBase: OneDevice[] = [];
  #causeBase: Causes | null = null;

  /** @param state what a snapshot kept; the ledger goes on from there */
  constructor(
    hmm: Hmm,
    settings: Settings,
    drivers: CountedDevices,
    timeline: Timeline | null,
    state?: LedgerState,
  ) {
    this.#drivers = drivers;
    this.#timeline = timeline;
    this.devices =
      state?.devices ??
      drivers.all.map(() => ({ accesses: { loads: 0, stores: 0 }, faults: { migrate: 0, mirror: 0 } }));
    this.#replayFrom = settings.skip;
    this.#countFrom = Math.max(settings.skip, settings.roi.from);
    this.#end = settings.roi.to ?? Infinity;
    this.#epoch = typeof settings.epoch === "number" ? settings.epoch : Infinity;
    if (state !== undefined) {
      Object.assign(this.accesses, state.accesses);
      Object.assign(this.cpuFaults, state.cpuFaults);
      this.#position = state.position;
      this.#base = state.base;
      this.#deviceBase = state.deviceBase;
      this.#causeBase = state.causeBase;
    }
    this.ranges = new RangeCounts(hmm, state?.ranges);
    this.#sections = new Sections(settings.epoch, state?.sections ?? this.#settled());
    drivers.countIn(this.ranges);
    if (state !== undefined) return;
    for (const { name, start, end } of settings.ranges) this.ranges.add(name, start, end - start);
    if (this.#countFrom === 0) this.#begin();
  }

  /** The accesses of the trace so far, replayed or not. */
  get position(): number {
    return this.#position;
  }

  /** Whether accesses are only passed over. */
  get skipping(): boolean {
    return this.#position < this.#replayFrom;
  }

  /** Whether no further access is of interest. */
  get done(): boolean {
    return this.#position >= this.#end;
  }

  /** How many accesses come before something changes in the books: at least 1, or Infinity. */
  get left(): number {
    const at = this.#position;
    const bounds = [this.#replayFrom, this.#countFrom, this.#end, this.#epochEnd];
    return Math.min(...bounds.filter((bound) => bound > at)) - at;
  }

  /** Where the current epoch of N accesses ends. Epochs are counted from the first access that counts. */
  get #epochEnd(): number {
    const done = Math.floor((this.#position - this.#countFrom) / this.#epoch);
    return this.#position < this.#countFrom ? Infinity : this.#countFrom + (done + 1) * this.#epoch;
  }

  /** Whether counting begins or ends `n` accesses from here. */
  turnsAfter(n: number): boolean {
    const at = this.#position + n;
    return at === this.#countFrom || at === this.#end;
  }

  /** Notes that `n` accesses of the trace are done: at most as many as `left` said. */
  advance(n: number): void {
    if (n === 0) return;
    const at = (this.#position += n);
    if (at === this.#countFrom) {
      this.#drivers.restartPeaks();
      this.#drivers.noteUses?.();
      this.ranges.clear();
      this.#sections.restart(this.#begin(), at);
    } else if (at > this.#countFrom && (at - this.#countFrom) % this.#epoch === 0) {
      this.#sections.closeEpoch(this.#settled(), at);
    }
  }

  /** Notes a mark of the block. */
  mark({ kind, thread, id }: Mark, { events, kernels }: MarkNames): void {
    const event = events?.[id];
    if (kind === RECORD_MARK_KERNEL_BEGIN) {
      this.#sections.begin(
        thread,
        kernelName({ kind, thread, id }, { events, kernels }),
        this.#settled(),
        this.#position,
      );
    } else if (kind === RECORD_MARK_KERNEL_END) {
      this.#sections.end(thread, this.#settled(), this.#position);
    } else if (event !== undefined && kind === RECORD_MARK_RANGE) {
      this.ranges.add(event.name || `0x${event.address.toString(16)}`, event.address, event.bytes);
    } else if (event !== undefined && kind === RECORD_MARK_RANGE_END) {
      this.ranges.end(event.address);
    }
  }

  /** Returns the counts since counting began, those of each device, and those of the parts. */
  report(): Counts & { one: OneDevice[]; sections: Sections; now: Counts } {
    this.#drivers.noteUses?.();
    const now = this.#counts();
    const all = this.#eachDevice();
    const one = all.map((counts, i) =>
      difference(counts, this.#base === null ? counts : this.#deviceBase[i]),
    );
    return { ...difference(now, this.#base ?? now), one, sections: this.#sections, now };
  }

  /**
   * Returns what took time since counting began, by cause, up to where the clock was settled last; null
   * without a time model.
   */
  causes(): Causes | null {
    if (this.#timeline === null) return null;
    const now = this.#timeline.causes;
    return difference(now, this.#causeBase ?? now);
  }

  state(): LedgerState {
    return {
      accesses: this.accesses,
      cpuFaults: this.cpuFaults,
      devices: [...this.devices],
      position: this.#position,
      base: this.#base,
      deviceBase: this.#deviceBase,
      causeBase: this.#causeBase,
      sections: this.#sections.state(),
      ranges: this.ranges.state(),
    };
  }

  /** Counting begins here. Returns the counts so far. */
  #begin(): Counts {
    this.#deviceBase = this.#eachDevice();
    this.#base = this.#settled();
    this.#causeBase = this.#timeline && structuredClone(this.#timeline.causes);
    return this.#base;
  }

  /** The counts of each device so far, as copies. */
  #eachDevice(): OneDevice[] {
    return this.#drivers.all.map(({ counts, books: { links } }, i) => ({
      ...structuredClone({ ...this.devices[i], links }),
      ...counts,
    }));
  }

  /** The counts of everything so far, as a copy. */
  #settled(): Counts {
    this.#timeline?.settle();
    this.#drivers.noteUses?.();
    return this.#counts();
  }

  /** Returns the counts up to where the clock was settled last. */
  #counts(): Counts {
    const { cpu, device } = this.accesses;
    const deviceFaults = this.devices.map(({ faults }) => faults).reduce((all, one) => together(all, one));
    return {
      accesses: { cpu: { ...cpu }, device: structuredClone(device) },
      faults: { cpu: sum(this.cpuFaults), device: sum(deviceFaults) },
      faultsByKind: { cpu: { ...this.cpuFaults }, device: { ...deviceFaults } },
      ...this.#drivers.counts,
      managed: { ...(this.#drivers.managed ?? NO_MANAGED_COUNTS) },
      elapsed: this.#timeline?.now ?? 0,
    };
  }
}
