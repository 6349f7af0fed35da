/**
 * Replays memory accesses over a CPU and devices that share one address space. The engine runs the accesses;
 * this class serves what stops it (unmapped memory, CPU faults, device faults, marks) by the config's
 * policies, and counts.
 */
import { ENOMEM } from "../../assembly/uapi/errno.ts";
import { PAGE_SIZE, TASK_SIZE } from "../../assembly/uapi/page.ts";
import { RECORD_MARK } from "../../assembly/abi/record.ts";
import { Hmm, HmmError, type Mm } from "../index.ts";
import { RecordArray } from "../device/replay.ts";
import { dispose } from "../engine/dispose.ts";
import { badType, checkInteger } from "../engine/errors.ts";
import { ADDRESS_END } from "./address-range.ts";
import { settingsOf, type Settings, type SimulationConfig } from "./config.ts";
import { sum } from "./counts.ts";
import { boundOf } from "./bound.ts";
import type { SimDevices } from "./devices.ts";
import { FailingAllocation, unfailing } from "./failing.ts";
import { outOfMemory } from "./simulation-error.ts";
import { Ledger } from "./ledger.ts";
import { makeReport } from "./make-report.ts";
import type { Future } from "./policies/evict/future.ts";
import type { EvictPolicy } from "./policies/evict/evictor.ts";
import { References } from "./policies/references.ts";
import { ManagedRun } from "./managed-run.ts";
import { HmmRun } from "./hmm-run.ts";
import { countRecords } from "./count-records.ts";
import { addressOf, markOf, WORDS } from "./record-words.ts";
import type { BoundReport, SimulationReport } from "./report.ts";
import { checkAgents, Selection } from "./selection.ts";
import { packSnapshot, unpackSnapshot, type SimulationState } from "./snapshot.ts";
import type { TimeListener } from "./time/listener.ts";
import { Timeline } from "./time/timeline.ts";
import { engineConfigOf, makeWorld, restoreWorld, type World } from "./world.ts";
import { blockOf, type Block, type RecordBlock } from "./source.ts";

/** Records that are replayed at a time. */
const BATCH = 1 << 14;

/**
 * One simulation: an engine, an address space, devices. Feed it blocks of records, and ask for the report at
 * any time. The caller closes it.
 */
export class Simulation {
  readonly #settings: Settings;
  readonly #hmm: Hmm;
  readonly #owned: boolean;
  readonly #mm: Mm;
  readonly #devices: SimDevices | ManagedRun;
  readonly #ledger: Ledger;
  /** Makes the accesses. */
  readonly #runner: HmmRun | ManagedRun;
  readonly #selection: Selection | null;
  #timeline: Timeline | null;
  /** The device's accesses so far, for a bound; null: the config asks for none. */
  readonly #references: References | null;
  #records!: RecordArray;
  /** The records' words. */
  #words!: Uint32Array;
  readonly #failing: FailingAllocation;
  #replayed = 0;
  #fed = 0;
  readonly #skipped = { kernel: 0, unmappable: 0 };
  /** Records of the current run that were skipped. */
  readonly #left: number[] = [];

  private constructor(world: World, settings: Settings, owned: boolean, state?: SimulationState) {
    const { hmm, mm, devices, timeline } = world;
    this.#settings = settings;
    this.#hmm = hmm;
    this.#owned = owned;
    this.#mm = mm;
    this.#devices = devices;
    this.#timeline = timeline;
    this.#ledger = new Ledger(hmm, settings, devices, timeline, state?.ledger);
    this.#runner =
      devices instanceof ManagedRun
        ? devices
        : new HmmRun(mm, devices, this.#ledger, settings.placement, state?.growths ?? 0);
    if (timeline !== null) this.#runner.observe(timeline);
    this.#selection = Selection.of(settings);
    this.#references = settings.bound === null ? null : new References(state?.references);
    if (devices instanceof ManagedRun) devices.follow(this.#references, settings.cluster);
    this.#openRecords();
    this.#failing = new FailingAllocation(hmm, settings.failAlloc, state?.failed);
    if (state !== undefined) {
      this.#replayed = state.replayed;
      this.#fed = state.fed;
      Object.assign(this.#skipped, state.skipped);
    }
  }

  /**
   * Makes a simulation with an engine of its own. Throws ConfigError for a config that cannot be, and
   * HmmError or RangeError if memory cannot be that large.
   * @param future the accesses to come, which the policy `opt` needs (see {@link referencesOf})
   */
  static async create(config: SimulationConfig = {}, future?: Future): Promise<Simulation> {
    const settings = settingsOf(config);
    return Simulation.#in(await Hmm.create(engineConfigOf(settings)), settings, true, future);
  }

  /**
   * @internal Makes a simulation in an engine that has the memory of `config` (engineConfigOf). close()
   * leaves the engine open.
   */
  static over(hmm: Hmm, config: SimulationConfig, future?: Future): Simulation {
    return Simulation.#in(hmm, settingsOf(config), false, future);
  }

  static #in(hmm: Hmm, settings: Settings, owned: boolean, future?: Future): Simulation {
    return new Simulation(makeWorld(hmm, settings, future), settings, owned);
  }

  /**
   * Makes a simulation that goes on where snapshot() was called: the same blocks give the same report. Throws
   * TypeError and RangeError for bytes that are no snapshot of this version.
   * @param given what the snapshot does not keep: a policy of your own, and the future of `opt`
   */
  static restore(
    bytes: Uint8Array,
    given: { evict?: EvictPolicy | undefined; future?: Future | undefined } = {},
  ): Simulation {
    const { state, engine } = unpackSnapshot(bytes);
    const settings: Settings = { ...state.settings, custom: given.evict ?? null };
    return new Simulation(restoreWorld(engine, settings, state, given.future), settings, true, state);
  }

  /** Returns the whole state as bytes, for {@link Simulation.restore}. Note where the source is. */
  snapshot(): Uint8Array {
    const devices = this.#devices;
    // The snapshot would keep their memory, which the restored engine has no use for.
    this.#records.close();
    this.#ledger.ranges.close();
    devices.closeArrays();
    const engine = this.#hmm.snapshot();
    this.#openRecords();
    const state: SimulationState = {
      settings: { ...this.#settings, custom: null },
      devices: devices.state(),
      references: this.#references?.state(),
      ledger: this.#ledger.state(),
      timeline: this.#settings.time === null ? undefined : this.#timeline?.state(),
      failed: this.#failing.report,
      growths: this.#runner.growths,
      replayed: this.#replayed,
      fed: this.#fed,
      skipped: this.#skipped,
    };
    return packSnapshot(state, engine);
  }

  /** Tells one listener what happens from here on, at which time (without a time model, in accesses). */
  listen(listener: TimeListener): void {
    if (this.#timeline === null) {
      this.#timeline = new Timeline(null);
      this.#runner.observe(this.#timeline);
    }
    this.#timeline.listener = listener;
  }

  /** Records that were fed so far, of any kind. */
  get fed(): number {
    return this.#fed;
  }

  /** Accesses made so far; a modify is one. */
  get replayed(): number {
    return this.#replayed;
  }

  /**
   * Accesses that were not made because nothing can be mapped at their address: those to the kernel's half of
   * the address space, and those to its lowest 64 KiB or the page below 2^47.
   */
  get skipped(): { kernel: number; unmappable: number } {
    return { ...this.#skipped };
  }

  /** Whether the config's `roi` ends here: further blocks change nothing. */
  get done(): boolean {
    return this.#ledger.done;
  }

  /**
   * Names a range of data, whose accesses, faults and moves the report counts: `bytes` from address `start`
   * on. Throws TypeError and RangeError for a range that cannot be.
   */
  nameRange(name: string, start: number, bytes: number): void {
    const op = "simulation.nameRange";
    if (typeof name !== "string") throw badType(op, "name", "a string", name);
    checkInteger(op, "start", start, 0, ADDRESS_END - 1);
    checkInteger(op, "bytes", bytes, 0, ADDRESS_END);
    this.#ledger.ranges.add(name, start, bytes);
    if (this.#devices instanceof ManagedRun) this.#devices.nameRange(name, start, bytes, true);
  }

  /**
   * Makes the accesses of a block, which is not kept. Throws SimulationError where memory is too small, or
   * before any access for an agent beyond the devices; TypeError for anything else than a block.
   */
  feed(block: Block): void {
    const whole = blockOf(block);
    const { records } = whole;
    if (this.#settings.devices > 1 && this.#settings.agent === "trace")
      checkAgents(records, this.#settings.devices);
    for (let at = 0; at < records.length && !this.#ledger.done; at += 2 * BATCH) {
      const batch = records.length <= 2 * BATCH ? records : records.subarray(at, at + 2 * BATCH);
      this.#records.set(batch);
      this.#selection?.apply(this.#words, batch.length / 2);
      if (this.#runner instanceof HmmRun)
        this.#references?.note(this.#words, batch.length / 2, this.#settings.cluster);
      this.#run(batch.length / 2, at / 2, whole);
    }
    this.#fed += records.length / 2;
  }

  /**
   * Returns what happened so far, as a copy. With managed memory the device first makes the accesses of all
   * records that it was fed.
   */
  report(): SimulationReport {
    if (this.#devices instanceof ManagedRun) this.#devices.finish(this.#ledger);
    this.#timeline?.finish();
    return this.#reportWith(this.#references && boundOf(this.#references, this.#settings));
  }

  /**
   * @internal Returns what happened so far without changing how the run goes on: accesses of a parallel
   * device that wait, time since the last event, and the bound are missing.
   */
  peek(): SimulationReport {
    if (this.#devices instanceof ManagedRun) this.#devices.count(this.#ledger);
    return this.#reportWith(null);
  }

  /** Checks every invariant of the engine. Throws HmmError for the first broken one. */
  verify(): void {
    this.#hmm.verify();
  }

  /** Closes the address space, the devices, and the engine if the simulation owns it. */
  close(): void {
    this.#records.close();
    this.#ledger.ranges.close();
    this.#devices.closeArrays();
    this.#mm.close();
    this.#devices.close();
    if (this.#owned) this.#hmm.close();
  }

  /** Closes it, for `using`. */
  [dispose](): void {
    this.close();
  }

  #reportWith(bound: BoundReport | null): SimulationReport {
    const [settings, ledger, mm, devices] = [this.#settings, this.#ledger, this.#mm, this.#devices];
    const failed = this.#failing.report;
    const tail = this.#timeline?.tail ?? 0;
    return makeReport({ settings, ledger, mm, devices, growths: this.#runner.growths, bound, failed, tail });
  }

  #openRecords(): void {
    this.#records = unfailing(this.#hmm, () => new RecordArray(this.#hmm, BATCH));
    this.#words = new Uint32Array(this.#records.buffer, this.#records.byteOffset, WORDS * BATCH);
    this.#devices.openArrays();
  }

  /** Runs the first n records of the array. The first one has index `base` in the block. */
  #run(n: number, base: number, block: RecordBlock): void {
    const ledger = this.#ledger;
    const runner = this.#runner;
    if (runner instanceof HmmRun) runner.begin();
    for (let at = 0; at < n && !ledger.done;) {
      const end = Math.min(n, at + ledger.left);
      at = ledger.skipping ? this.#pass(at, end) : this.#make(at, end, base);
      if (at < end) {
        if (runner instanceof ManagedRun) runner.mark(this.#words, at, block, ledger);
        this.#timeline?.mark(markOf(this.#words, at), block);
        this.#ledger.mark(markOf(this.#words, at), block);
        at++;
      }
    }
  }

  /**
   * Makes the accesses of records [from, end), up to a mark. Returns where it stopped. The first record of
   * the array has index `base` in the block.
   */
  #make(from: number, end: number, base: number): number {
    const runner = this.#runner;
    this.#left.length = 0;
    try {
      const at = runner instanceof HmmRun ? this.#replay(runner, from, end) : this.#serve(runner, from, end);
      this.#count(from, at);
      return at;
    } catch (error) {
      if (!(error instanceof HmmError) || error.errno !== ENOMEM) throw error;
      throw outOfMemory(base + runner.at, error, this.#settings);
    }
  }

  #replay(runner: HmmRun, from: number, end: number): number {
    return runner.run(this.#records, this.#words, from, end, {
      skipped: (record, address) => {
        this.#noteSkipped(address);
        this.#left.push(record);
      },
      served: (error, at) => this.#failing.note(error, () => this.#accessesAt(from, at)),
    });
  }

  #serve(managed: ManagedRun, from: number, end: number): number {
    const at = managed.run(this.#records, this.#words, from, end, this.#left);
    const { left } = this.#ledger;
    if (left < Infinity && this.#ledger.turnsAfter(sum(this.#records.count(from, at))))
      managed.finish(this.#ledger);
    else managed.count(this.#ledger);
    for (const record of this.#left) this.#noteSkipped(addressOf(this.#words, record));
    return at;
  }

  /** Passes over records [at, end), up to a mark. Returns where it stopped. */
  #pass(from: number, end: number): number {
    const words = this.#words;
    let at = from;
    while (at < end && (words[WORDS * at + 2] & 0xff) < RECORD_MARK) at++;
    this.#ledger.advance(sum(this.#records.count(from, at)));
    return at;
  }

  /** Counts an access that is not made, as nothing can be mapped at its address. */
  #noteSkipped(address: number): void {
    this.#skipped[address >= TASK_SIZE + PAGE_SIZE ? "kernel" : "unmappable"]++;
  }

  /** Counts records [from, at), without those that were skipped. */
  #count(from: number, at: number): void {
    const replayed = { records: this.#records, words: this.#words, from, at, left: this.#left };
    const all = countRecords(this.#hmm, replayed, this.#ledger);
    this.#replayed += all - this.#left.length;
    this.#ledger.advance(all);
  }

  /** The accesses that were made before record `at`, where records from `from` on are not counted yet. */
  #accessesAt(from: number, at: number): number {
    return this.#replayed + sum(this.#records.count(from, at)) - this.#left.length;
  }
}
