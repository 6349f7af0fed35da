/** Makes accesses under HMM: the engine replays them, and a server serves what stops it. */
import type { RecordArray, ReplayStop } from "../device/replay.ts";
import type { Mm } from "../index.ts";
import type { CorePaging } from "./core-paging.ts";
import type { SimDevices } from "./devices.ts";
import type { SimulationEvents } from "./events.ts";
import type { Ledger } from "./ledger.ts";
import type { Placement } from "./names.ts";
import type { PeerWork } from "./counts.ts";
import { agentOf, WORDS } from "./record-words.ts";
import { FaultServer } from "./serve.ts";

/** What a run tells its simulation. */
export interface RunEvents {
  /** Nothing can be mapped at the address, so the access of the record is not made. */
  skipped(record: number, address: number): void;
  /** A stop at record `at` was served, or serving it threw `error`. Returns whether to try again. */
  served(error: unknown, at: number): boolean;
}

export class HmmRun {
  /** The record at which run() is: where it threw, if it did. */
  at = 0;
  readonly #mm: Mm;
  readonly #devices: SimDevices;
  readonly #ledger: Ledger;
  readonly #server: FaultServer;
  #events: SimulationEvents | null = null;

  /** @param growths how often the address space has grown so far */
  constructor(mm: Mm, devices: SimDevices, ledger: Ledger, placement: Placement, growths: number) {
    this.#mm = mm;
    this.#devices = devices;
    this.#ledger = ledger;
    this.#server = new FaultServer(mm, devices, ledger, placement);
    devices.space.growths = growths;
  }

  /** Says who is told what happens. */
  observe(events: SimulationEvents): void {
    this.#events = this.#server.events = events;
    this.#devices.observe(events);
  }

  /** How often the address space grew. */
  get growths(): number {
    return this.#devices.space.growths;
  }

  /** Other records come now, whose numbers begin again. */
  begin(): void {
    this.#server.begin();
    this.#devices.follower?.begin();
  }

  /**
   * Makes the accesses of records [from, end), up to a mark. Returns where it stopped. Throws HmmError, with
   * ENOMEM where memory is too small.
   */
  run(records: RecordArray, words: Uint32Array, from: number, end: number, events: RunEvents): number {
    const { ram } = this.#ledger.accesses.device;
    const { tables, follower, paging } = this.#devices;
    this.at = from;
    for (;;) {
      const alone = this.#server.borrows;
      const until = alone ? this.at + 1 : end;
      const pages = alone ? null : (paging?.next() ?? null);
      const stop = records.replay(this.#mm, tables, this.at, until, follower?.log, pages);
      if (pages !== null) this.#notePaging(paging!);
      const overLinks = this.#devices.peers.access ? this.#countPeers(records, this.at, stop.at) : null;
      const peer = overLinks === null ? 0 : overLinks.loads + overLinks.stores;
      if (stop.ramLoads + stop.ramStores + peer > 0)
        this.#ledger.ranges.countRemote(records, this.at, stop.at, this.#devices.all);
      follower?.follow();
      ram.loads += stop.ramLoads;
      ram.stores += stop.ramStores;
      this.#events?.records(words, this.at, stop.at, stop.ramLoads, stop.ramStores, overLinks);
      if (alone && stop.at > this.at) this.#server.giveBack();
      this.at = stop.at;
      if (stop.reason === "uses" || (alone && stop.reason === "done" && this.at < end)) continue;
      if (stop.reason === "done" || stop.reason === "mark") return this.at;
      if (stop.reason === "device-fault") follower?.reached(words, this.at, stop.address);
      try {
        this.#serve(stop, words, events);
        events.served(null, this.at);
      } catch (error) {
        if (!events.served(error, this.at)) throw error;
      }
    }
  }

  /** Notes the faults that the core has served during a replay. */
  #notePaging(paging: CorePaging): void {
    const devices = this.#devices;
    this.#ledger.devices[0].faults.migrate += paging.note();
    devices.peak = Math.max(devices.peak, devices.all[0].books.peak);
  }

  /** Counts the accesses of records [from, to), just replayed, that devices made over links. */
  #countPeers(records: RecordArray, from: number, to: number): PeerWork {
    const { peers, all } = this.#devices;
    const work = peers.count(this.#mm.hmm, records, from, to, all);
    const { peer } = this.#ledger.accesses.device;
    peer.loads += work.loads;
    peer.stores += work.stores;
    return work;
  }

  /** Serves what stopped the replay. The next record follows if nothing can be mapped at its address. */
  #serve(stop: ReplayStop, words: Uint32Array, events: RunEvents): void {
    const { follower } = this.#devices;
    if (this.#server.serve(stop, agentOf(words[WORDS * stop.at + 2]))) {
      if (stop.reason === "device-fault") follower?.served(stop.address, this.#server.brought);
      return;
    }
    events.skipped(stop.at, stop.address);
    this.at++;
    follower?.begin();
  }
}
