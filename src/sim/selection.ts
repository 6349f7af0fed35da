/** Whose accesses records are, where the config says something else than the trace. */
import { RECORD_AGENT_SHIFT, RECORD_MARK, RECORD_THREAD_SHIFT } from "../../assembly/abi/record.ts";
import type { AddressRange } from "./address-range.ts";
import type { Settings } from "./config.ts";

/** 32-bit words of a record. */
const WORDS = 4;
const AGENT_MASK = 0xff << RECORD_AGENT_SHIFT;
const DEVICE = 1 << RECORD_AGENT_SHIFT;

/** Gives records another agent. */
export class Selection {
  readonly #agent: Settings["agent"];
  readonly #threads: Uint8Array | null;
  readonly #ranges: readonly AddressRange[];

  private constructor({ agent, threads, deviceRanges }: Settings) {
    this.#agent = agent;
    this.#threads = agent === "threads" ? new Uint8Array(1 << 16) : null;
    for (const thread of threads) this.#threads![thread] = 1;
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
      const device = this.#isDevice(how) || this.#isInside(words[i], words[i + 1]);
      if (!device) words[i + 2] = how & ~AGENT_MASK;
      else if ((how & AGENT_MASK) === 0) words[i + 2] = how | DEVICE;
    }
  }

  #isDevice(how: number): boolean {
    if (this.#threads !== null) return this.#threads[how >>> RECORD_THREAD_SHIFT] === 1;
    return this.#agent === "trace" ? (how & AGENT_MASK) !== 0 : this.#agent === "device";
  }

  #isInside(low: number, high: number): boolean {
    const ranges = this.#ranges;
    if (ranges.length === 0) return false;
    const address = (high & 0xffff) * 2 ** 32 + low;
    let [from, to] = [0, ranges.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (ranges[middle].end <= address) from = middle + 1;
      else to = middle;
    }
    return from < ranges.length && ranges[from].start <= address;
  }
}
