/**
 * Replays memory accesses over a CPU and a device that share one address space. The engine runs the accesses;
 * this class serves what stops it (unmapped memory, CPU faults, device faults) by the placement policy.
 */
import { ENOMEM } from "../../assembly/uapi/errno.ts";
import {
  FAULT_KIND_ANON,
  FAULT_KIND_COW,
  FAULT_KIND_DEVICE,
  FAULT_KIND_REUSE,
  FAULT_KIND_ZERO,
} from "../../assembly/uapi/event.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { RECORD_KIND_MASK } from "../../assembly/abi/record.ts";
import { Hmm, HmmError, type Mm, type Vma } from "../index.ts";
import { deviceMemoryFor, SimDevice } from "./device.ts";
import { RecordArray, type ReplayStop } from "../device/replay.ts";
import type { Backing, CpuFaults, DeviceFaults, Policy, SimulationReport } from "./report.ts";
import { grow, mappable } from "./space.ts";

/** What is simulated. */
export interface SimulationConfig {
  policy: Policy;
  backing: Backing;
  /** Bytes of RAM. */
  systemMemory: number;
  /** Bytes of device memory. */
  deviceMemory: number;
}

/** What came of an allocation that was made to fail. */
export interface FailedAllocation {
  /** Its number among the core's allocations, counted from 1 at the first record. */
  number: number;
  /** Whether the trace made that many allocations; if not, the other fields mean nothing. */
  reached: boolean;
  /** Accesses that were made before it. */
  access: number;
  /** The error of the access, which was then repeated; null: the simulation did without the allocation. */
  error: string | null;
}

/** Thrown for an access that cannot be made because memory is too small. */
export class SimulationError extends Error {
  override readonly name = "SimulationError";
  /** The record's index in the array that replay() got. */
  readonly record: number;

  constructor(record: number, message: string, cause: unknown) {
    super(message, { cause });
    this.record = record;
  }
}

/** Records that are replayed at a time. */
const BATCH = 1 << 15;
/**
 * Device faults of one record that move clusters; further ones only map the page. An access that straddles
 * two clusters would otherwise have each evict the other where device memory holds only one.
 */
const MOVES_MAX = 2;

/** One simulation: an engine, an address space, a device. The caller closes it. */
export class Simulation {
  readonly config: SimulationConfig;
  readonly #hmm: Hmm;
  readonly #owned: boolean;
  readonly #mm: Mm;
  readonly #device: SimDevice;
  readonly #records: RecordArray;
  readonly #accesses: SimulationReport["accesses"] = {
    cpu: { loads: 0, stores: 0 },
    device: { loads: 0, stores: 0, ram: { loads: 0, stores: 0 } },
  };
  readonly #cpuFaults: CpuFaults = { zero: 0, anon: 0, cow: 0, reuse: 0, device: 0, other: 0 };
  readonly #deviceFaults: DeviceFaults = { migrate: 0, mirror: 0 };
  #failed: FailedAllocation | null = null;
  #growths = 0;
  #replayed = 0;
  #skipped = 0;
  /** Records of the current batch that were skipped. */
  readonly #left: number[] = [];
  /** The record of the last device fault, and how many device faults it has had. */
  #faulting = { record: -1, times: 0 };

  /**
   * Makes a simulation with an engine of its own. Throws HmmError or RangeError if memory cannot be that
   * large.
   */
  static async create(config: SimulationConfig): Promise<Simulation> {
    const hmm = await Hmm.create({
      systemMemory: config.systemMemory,
      deviceMemory: deviceMemoryFor(config.deviceMemory),
      backing: config.backing,
    });
    return new Simulation(hmm, config, true);
  }

  /**
   * Makes a simulation in an engine that has the memory of `config`, and room for the device
   * (deviceMemoryFor).
   * @param owned close() also closes the engine
   */
  constructor(hmm: Hmm, config: SimulationConfig, owned = false) {
    this.config = config;
    this.#hmm = hmm;
    this.#owned = owned;
    this.#mm = hmm.createMm();
    this.#device = new SimDevice(hmm, this.#mm, config.deviceMemory);
    this.#records = new RecordArray(hmm, BATCH);
  }

  /**
   * Makes the n-th allocation inside the core from now on fail, once. The access that meets the failure is
   * repeated after verify(). Throws RangeError unless n is an integer of at least 1.
   */
  failAllocation(n: number): void {
    this.#hmm.failAllocation(n);
    this.#failed = { number: n, reached: false, access: 0, error: null };
  }

  /** What came of that allocation; null without failAllocation. */
  get failedAllocation(): FailedAllocation | null {
    return this.#failed;
  }

  /** Accesses made so far; a modify is one. */
  get replayed(): number {
    return this.#replayed;
  }

  /** Accesses skipped because nothing can be mapped at their address. */
  get skipped(): number {
    return this.#skipped;
  }

  /** Makes the accesses of `records` (RECORD_*). Throws SimulationError where memory is too small. */
  replay(records: BigUint64Array): void {
    for (let at = 0; at < records.length; at += 2 * BATCH) {
      const batch = records.subarray(at, at + 2 * BATCH);
      this.#records.set(batch);
      this.#left.length = 0;
      this.#replayBatch(batch.length / 2, at / 2);
      this.#countBatch(batch.length / 2);
    }
  }

  /** Returns what happened so far, as a copy. */
  report(): SimulationReport {
    const { policy, backing, systemMemory, deviceMemory } = this.config;
    const { evictions, ...counts } = this.#device.counts;
    const invalidations = { ...this.#device.invalidations };
    const rss = this.#mm.rss.total;
    const vmas = this.#mm.vmas();
    return {
      policy,
      backing,
      memory: { system: systemMemory, device: deviceMemory },
      accesses: structuredClone(this.#accesses),
      faults: { cpu: sum(this.#cpuFaults), device: sum(this.#deviceFaults) },
      faultsByKind: { cpu: { ...this.#cpuFaults }, device: { ...this.#deviceFaults } },
      device: { ...counts, bytesIn: counts.pagesCopied * PAGE_SIZE, bytesOut: counts.pagesOut * PAGE_SIZE },
      evictions,
      invalidations: sum(invalidations),
      invalidationsByEvent: invalidations,
      residency: { system: rss - this.#device.pages, device: this.#device.pages },
      rss: { pages: rss, bytes: rss * PAGE_SIZE },
      space: {
        vmas: vmas.length,
        bytes: vmas.reduce((bytes, vma) => bytes + vma.end - vma.start, 0),
        growths: this.#growths,
      },
    };
  }

  /** Checks every invariant of the engine. Throws HmmError for the first broken one. */
  verify(): void {
    this.#hmm.verify();
  }

  /** Closes the address space, the device, and the engine if the simulation owns it. */
  close(): void {
    this.#records.close();
    this.#mm.close();
    this.#device.close();
    if (this.#owned) this.#hmm.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Runs the first n records of the array. The first one has index `base` in what replay() got. */
  #replayBatch(n: number, base: number): void {
    this.#faulting.record = -1;
    const { ram } = this.#accesses.device;
    for (let at = 0; at < n;) {
      const stop = this.#records.replay(this.#mm, this.#device.table, at, n);
      ram.loads += stop.ramLoads;
      ram.stores += stop.ramStores;
      at = stop.at;
      if (stop.reason === "done") return;
      try {
        at += this.#serve(stop);
        this.#noteFailure(at, null);
      } catch (error) {
        if (this.#noteFailure(at, error)) continue;
        if (!(error instanceof HmmError) || error.errno !== ENOMEM) throw error;
        throw new SimulationError(base + at, this.#tooSmall(error), error);
      }
    }
  }

  /**
   * Whether the allocation that is to fail has just failed. Throws HmmError if it broke an invariant of the
   * engine.
   */
  #noteFailure(at: number, error: unknown): boolean {
    const failed = this.#failed;
    if (failed === null || failed.reached || this.#hmm.failingAllocation > 0) return false;
    if (error !== null && !(error instanceof HmmError)) return false;
    failed.reached = true;
    failed.access = this.#replayed + at - this.#left.length;
    failed.error = error === null ? null : String(error);
    this.verify();
    return true;
  }

  /**
   * Serves what stopped the replay. Returns how many records to skip: 1 if nothing can be mapped at its
   * address.
   */
  #serve({ reason, at, address, write }: ReplayStop): number {
    if (reason === "mark") {
      this.#left.push(at);
      return 1;
    }
    if (!mappable(address)) {
      this.#skipped++;
      this.#left.push(at);
      return 1;
    }
    if (reason === "cpu-fault") this.#cpuFault(address, write);
    else if (reason === "device-fault") this.#deviceFault(address, write, at);
    else this.#vmaOf(address);
    return 0;
  }

  /** Returns the mapping around an address, and makes one if there is none. */
  #vmaOf(address: number): Vma {
    const vma = this.#mm.findVma(address);
    if (vma !== null) return vma;
    grow(this.#mm, address);
    this.#growths++;
    return this.#mm.findVma(address)!;
  }

  #cpuFault(address: number, write: boolean): void {
    const kind = this.#mm.fault(address, { write });
    const faults = this.#cpuFaults;
    switch (kind) {
      case FAULT_KIND_ZERO:
        faults.zero++;
        break;
      case FAULT_KIND_ANON:
        faults.anon++;
        break;
      case FAULT_KIND_COW:
        faults.cow++;
        break;
      case FAULT_KIND_REUSE:
        faults.reuse++;
        break;
      case FAULT_KIND_DEVICE:
        faults.device++;
        break;
      default:
        faults.other++;
    }
  }

  #deviceFault(address: number, write: boolean, record: number): void {
    const vma = this.#vmaOf(address);
    const device = this.#device;
    const faulting = this.#faulting;
    faulting.times = faulting.record === record ? faulting.times + 1 : 1;
    faulting.record = record;
    const move = this.config.policy === "migrate" && faulting.times <= MOVES_MAX;
    const moved = move ? device.moveIn(vma, address) : 0;
    if (moved > 0) this.#deviceFaults.migrate++;
    if (device.reaches(address, write)) return;
    if (moved === 0) this.#deviceFaults.mirror++;
    const answer = device.mirror(vma, address, write);
    if (answer !== 0)
      throw new HmmError(-answer, "hmmRangeFault", "the device cannot access the page", { address });
  }

  /** Counts the first n records of the array, without those that were skipped. */
  #countBatch(n: number): void {
    const counts = this.#records.count(0, n);
    for (const record of this.#left) counts[kindOf(this.#records[2 * record + 1])]--;
    [this.#accesses.cpu, this.#accesses.device].forEach((agent, i) => {
      const [loads, stores, modifies] = counts.subarray(4 * i);
      agent.loads += loads + modifies;
      agent.stores += stores + modifies;
    });
    this.#replayed += n - this.#left.length;
  }

  #tooSmall({ address, detail }: HmmError): string {
    const where = address === undefined ? "" : ` at 0x${address.toString(16)}`;
    const what = detail.replace(/, at 0x.*/, "");
    if (what !== "system memory" && what !== "") return `the engine has run out of ${what}${where}`;
    const why = address === undefined ? "no page is left" : `no page is left for 0x${address.toString(16)}`;
    return `--system-memory ${this.config.systemMemory / 1024}KiB is too small for this trace: ${why}`;
  }
}

/** The index at which RecordArray.count() counts a record. */
function kindOf(record: bigint): number {
  return (Number(record & 0xffffn) & RECORD_KIND_MASK) | ((record & 0xff00n) === 0n ? 0 : 4);
}

function sum(counts: object): number {
  return (Object.values(counts) as number[]).reduce((total, value) => total + value, 0);
}
