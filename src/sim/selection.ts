/** Whose accesses records are, where the config says something else than the trace. */
import { RECORD_AGENT_SHIFT, RECORD_MARK, RECORD_THREAD_SHIFT } from "../../assembly/abi/record.ts";
import type { DeviceRange, Settings } from "./config.ts";
import { SimulationError } from "./simulation-error.ts";

/** 32-bit words of a record. */
const WORDS = 4;
const AGENT_MASK = 0xff << RECORD_AGENT_SHIFT;

/** Gives records another agent. */
export class Selection {
  /** The agent of all records; null: it depends on the record. */
  readonly #all: number | null;
  /** By thread: its agent; null: it is the one that the record names. */
  readonly #threads: Uint8Array | null;
  readonly #ranges: readonly DeviceRange[];

  private constructor({ agent, deviceRanges }: Settings) {
    this.#all = typeof agent === "object" && "all" in agent ? agent.all : null;
    this.#threads = typeof agent === "object" && "threads" in agent ? new Uint8Array(1 << 16) : null;
    if (typeof agent === "object" && "threads" in agent)
      for (const [thread, device] of agent.threads) this.#threads![thread] = device;
    this.#ranges = deviceRanges;
  }

  /** Returns null if the trace says it all. */
  static of(settings: Settings): Selection | null {
    return settings.agent === "trace" && settings.deviceRanges.length === 0 ? null : new Selection(settings);
  }

  /** Changes the agents of `n` records, whose words these are. */
  apply(words: Uint32Array, n: number): void {
    for (let i = 0; i < WORDS * n; i += WORDS) {
      const how = words[i + 2];
      if ((how & 0xff) >= RECORD_MARK) continue;
      const agent = this.#deviceAt(words[i], words[i + 1]) || this.#agentOf(how);
      words[i + 2] = (how & ~AGENT_MASK) | (agent << RECORD_AGENT_SHIFT);
    }
  }

  #agentOf(how: number): number {
    if (this.#all !== null) return this.#all;
    if (this.#threads !== null) return this.#threads[how >>> RECORD_THREAD_SHIFT];
    return (how & AGENT_MASK) >>> RECORD_AGENT_SHIFT;
  }

  /** The device whose range an address lies in; 0: none. */
  #deviceAt(low: number, high: number): number {
    const ranges = this.#ranges;
    if (ranges.length === 0) return 0;
    const address = (high & 0xffff) * 2 ** 32 + low;
    let [from, to] = [0, ranges.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (ranges[middle].end <= address) from = middle + 1;
      else to = middle;
    }
    return from < ranges.length && ranges[from].start <= address ? ranges[from].device : 0;
  }
}

/** Throws SimulationError for the first record whose agent is beyond the devices. */
export function checkAgents(records: BigUint64Array, devices: number): void {
  const words = new Uint32Array(records.buffer, records.byteOffset, 2 * records.length);
  for (let i = 2; i < words.length; i += WORDS) {
    const agent = (words[i] & AGENT_MASK) >>> RECORD_AGENT_SHIFT;
    if (agent <= devices || (words[i] & 0xff) >= RECORD_MARK) continue;
    const record = (i - 2) / WORDS;
    const message = `devices ${devices}: record ${record} names agent ${agent}: expected 0 to ${devices}`;
    throw new SimulationError(record, message);
  }
}
