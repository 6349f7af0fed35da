/**
 * The virtual clock of a simulation: gives each event its time, in whole picoseconds, by a time model. No
 * wall clock is read, so the same run has the same times everywhere.
 *
 * The agents take turns, as the records do: the CPU works, or a device, or the driver serves what stopped
 * one of them. Copies that make room run beside the rest (`evictions: background`): their queue is due before
 * the next service of faults, and at the end. What the one thing that goes on takes is on the critical path.
 */
import type { FaultGroup, Place, SimulationEvents } from "../events.ts";
import type { Cause } from "../driver/transfers.ts";
import type { Direction } from "../paging-counts.ts";
import { RECORD_MARK_KERNEL_BEGIN, RECORD_MARK_KERNEL_END } from "../../../assembly/abi/record.ts";
import { kernelName, type Mark, type MarkNames } from "../record-words.ts";
import { CAUSE_NAMES, type TimeCause } from "./causes.ts";
import { costsOf, type Costs } from "./costs.ts";
import { EventQueue } from "./event-queue.ts";
import type { TimedTransfer, TimeListener } from "./listener.ts";
import { MODEL_SCHEMA, type TimeModel } from "./model-file.ts";
import { Work } from "./work.ts";
import type { PeerWork } from "../counts.ts";

/** What a cause took: how often, how long it kept its resource, and how long all waited for it. */
export interface CauseTime {
  count: number;
  busy: number;
  critical: number;
}

/** What a snapshot keeps. */
export interface TimelineState {
  now: number;
  causes: Record<TimeCause, CauseTime>;
  /** When the copies in the background are done. */
  copied: number;
}

/** A model without times. */
const NO_MODEL: TimeModel = { schema: MODEL_SCHEMA, name: "none", about: "no times" };

function noCauses(): Record<TimeCause, CauseTime> {
  const none = CAUSE_NAMES.map((name) => [name, { count: 0, busy: 0, critical: 0 }]);
  return Object.fromEntries(none) as Record<TimeCause, CauseTime>;
}

export class Timeline implements SimulationEvents {
  /** Is told of everything, with its times. */
  listener: TimeListener | null = null;
  readonly causes: Record<TimeCause, CauseTime>;
  readonly #costs: Costs;
  /** Without a model each access is a tick. */
  readonly #ticks: boolean;
  readonly #work: Work;
  /** What is under way beside the rest. */
  readonly #later = new EventQueue<TimedTransfer>();
  #now = 0;
  #copied = 0;
  /** In a batch of device faults. */
  #serving = false;

  /** @param model null: the clock counts accesses, and nothing else takes time */
  constructor(model: TimeModel | null, state?: TimelineState) {
    this.#costs = costsOf(model ?? NO_MODEL);
    this.#ticks = model === null;
    this.#work = new Work(this.#costs);
    this.causes = state?.causes ?? noCauses();
    this.#now = state?.now ?? 0;
    this.#copied = state?.copied ?? 0;
  }

  /** Picoseconds since the beginning; without a model, accesses. */
  get now(): number {
    return this.#now;
  }

  /** Picoseconds until the copies in the background are done. */
  get tail(): number {
    return Math.max(0, this.#copied - this.#now);
  }

  get countsInvalidations(): boolean {
    return this.#costs.invalidation > 0;
  }

  state(): TimelineState {
    this.settle();
    return { now: this.#now, causes: this.causes, copied: this.#copied };
  }

  /** Waits until a time in picoseconds, for a throttled fault. */
  wait(until: number): void {
    this.#take("throttle", until - this.#now);
  }

  records(
    words: Uint32Array,
    from: number,
    to: number,
    ramLoads: number,
    ramStores: number,
    overLinks: PeerWork | null = null,
  ): void {
    if (this.#ticks) this.#now += to - from;
    else if (this.#work.counted) this.#work.records(words, from, to, { ramLoads, ramStores, overLinks });
  }

  access(agent: "cpu" | "device", bytes: number, store: boolean): void {
    if (this.#ticks) this.#now++;
    else if (this.#work.counted) this.#work.access(agent, bytes, store);
  }

  instructions(agent: "cpu" | "device", n: number): void {
    if (this.#work.counted) this.#work.execute(agent, n);
  }

  remoteAccess(sectors: number, store: boolean, atomic: boolean): void {
    if (this.#ticks) this.#now++;
    else if (this.#work.counted) this.#work.remote(sectors, store, atomic);
  }

  peerAccess(bytes: number, store: boolean): void {
    if (this.#ticks) this.#now++;
    else if (this.#work.counted) this.#work.overLink(bytes, store);
  }

  /** Lets the time of all accesses so far pass. */
  settle(): void {
    if (!this.#work.any) return;
    const { cpu, compute, memory, remote, peer, translation, counts } = this.#work.settle();
    this.#take("cpuWork", cpu, counts.cpu);
    // A device computes, translates, and uses its memory and its link at the same time: the slowest counts.
    const parts = [
      ["compute", compute, counts.compute],
      ["deviceMemory", memory, counts.device],
      ["remote", remote, counts.remote],
      ["peerAccess", peer, counts.peer],
      ["translation", translation, counts.device],
    ] as const;
    const slowest = parts.reduce((most, part) => (part[1] > most[1] ? part : most));
    for (const part of parts) {
      if (part === slowest) continue;
      this.causes[part[0]].count += part[2];
      this.causes[part[0]].busy += part[1];
    }
    this.#take(slowest[0], slowest[1], slowest[2]);
  }

  cpuFaultBegin(address: number): void {
    this.settle();
    this.#awaitCopies();
    this.listener?.cpuFaultBegin(this.#now, address);
    this.#take("cpuFault", this.#costs.cpuFault);
  }

  cpuFaultEnd(): void {
    this.listener?.cpuFaultEnd(this.#now);
  }

  groupBegin(group: FaultGroup): void {
    this.settle();
    this.#awaitCopies();
    this.listener?.groupBegin(this.#now, group);
    this.#serving = true;
    const { fetch, preprocess, fixed, eachFault, unmap } = this.#costs;
    this.#take("fetch", fetch);
    this.#take("preprocess", preprocess);
    this.#take("fixed", fixed);
    this.#take("fault", group.pages * eachFault, group.pages);
    this.#take("unmap", unmap);
  }

  groupEnd(): void {
    this.#take("map", this.#costs.map);
    this.#take("replay", this.#costs.replay);
    this.#serving = false;
    this.listener?.groupEnd(this.#now);
  }

  block(): void {
    this.#take("block", this.#costs.eachBlock);
  }

  deviceFault(address: number): void {
    this.listener?.deviceFault(this.#now, address);
  }

  warpsWait(group: number): void {
    this.listener?.warpsWait(this.#now, group);
  }

  warpsGoOn(group: number): void {
    this.listener?.warpsGoOn(this.#now, group);
  }

  transfer(address: number, bytes: number, direction: Direction, cause: Cause): void {
    if (!this.#serving) this.settle();
    if (this.#serving && direction === "toDevice") this.#take("transfer", this.#costs.eachTransfer);
    const time = this.#costs[direction](bytes);
    const copy = { address, bytes, direction, cause, start: this.#now, end: this.#now + time };
    if (this.#costs.background && cause === "eviction" && direction === "toHost") {
      copy.start = Math.max(this.#now, this.#copied);
      this.#copied = copy.end = copy.start + time;
      this.causes.toHost.count++;
      this.causes.toHost.busy += time;
      this.#later.push(copy.end, copy);
      return;
    }
    this.#take(direction, time);
    this.listener?.transfer(copy);
  }

  arrived(address: number, pages: number, where: Place, copied: boolean): void {
    if (!copied && where > 0 && this.#costs.populate > 0)
      this.#take("populate", Math.round(this.#costs.populate * this.#costs.toDevice(pages * 4096)));
    this.listener?.resident(this.#now, address, pages, where, true);
  }

  left(address: number, pages: number, where: Place): void {
    this.listener?.resident(this.#now, address, pages, where, false);
  }

  invalidated(): void {
    this.#take("invalidation", this.#costs.invalidation);
  }

  mark(mark: Mark, names: MarkNames): void {
    const { kind } = mark;
    if (kind !== RECORD_MARK_KERNEL_BEGIN && kind !== RECORD_MARK_KERNEL_END) return;
    this.settle();
    if (kind === RECORD_MARK_KERNEL_END) this.listener?.kernelEnd(this.#now);
    else this.listener?.kernelBegin(this.#now, kernelName(mark, names));
  }

  /** What goes on now takes some time, which is on the critical path. */
  #take(cause: TimeCause, time: number, count = 1): void {
    if (count === 0) return;
    const one = this.causes[cause];
    one.count += count;
    if (time <= 0) return;
    one.busy += time;
    one.critical += time;
    const start = this.#now;
    this.#now += time;
    this.#tell();
    this.listener?.span(cause, start, this.#now);
  }

  /** Waits for the copies in the background. */
  #awaitCopies(): void {
    if (this.#copied <= this.#now) return;
    this.causes.toHost.critical += this.#copied - this.#now;
    this.#now = this.#copied;
    this.#tell();
  }

  /** Tells of the copies in the background that are done by a time. */
  #tell(until = this.#now): void {
    while (this.#later.next <= until) {
      const { what } = this.#later.pop();
      this.listener?.transfer(what);
    }
  }

  /** Tells of all that is still under way, at the end. */
  finish(): void {
    this.settle();
    if (this.#later.next < Infinity) this.#tell(Number.MAX_VALUE);
  }
}
