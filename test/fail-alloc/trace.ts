/**
 * A recorded trace, run with real bytes: every store writes, every load is compared with the value stored.
 * One allocation fails, and the access that met the failure is repeated.
 */
import { Hmm, HmmError, PAGE_SIZE, type Mm } from "../../src/index.ts";
import { contextOf } from "../../src/engine/context.ts";
import { settingsOf } from "../../src/sim/config.ts";
import { SimDevice } from "../../src/sim/device.ts";
import { GrowingSpace } from "../../src/sim/space.ts";
import { HDR_FAIL_ALLOC } from "../../assembly/abi/header.ts";
import type { Access } from "../cli/program.ts";

export interface TracedAccess {
  agent: "cpu" | "device";
  access: Access;
}

/** The outcome of the failure. */
export interface TraceTrial {
  /** Allocations left until the failure; 0 if it has occurred. */
  left: number;
  /** The access that reported the failure; undefined if the run did without the allocation. */
  reported?: { at: number; code: string };
}

const KIB = 1024;
/** Device memory is smaller than the device's working set, so that pages are evicted. */
const CONFIG = { systemMemory: 4096 * KIB, deviceMemory: 2048 * KIB } as const;
const DEVICE_SIZE = 128 * KIB;
/** Accesses taken from each phase of a program (a phase has one agent). */
const PHASE_ACCESSES = 6;

class TraceRun {
  readonly hmm = Hmm.createSync(CONFIG);
  readonly #mm: Mm = this.hmm.createMm();
  readonly #space = new GrowingSpace(this.#mm);
  readonly #device = new SimDevice(
    this.hmm,
    this.#mm,
    this.#space,
    settingsOf({ deviceMemory: DEVICE_SIZE }),
  );
  /** Stored bytes by page. */
  readonly #stored = new Map<number, Uint8Array>();
  #value = 0;

  /** Makes an access. Throws what the engine throws; then only bytes of this access are stored. */
  perform({ agent, access: [kind, address, size] }: TracedAccess): void {
    const device = agent === "device";
    for (let at = address; at < address + size; at++) this.#space.grownAt(at);
    if (kind !== "S") this.#load(address, size, device);
    if (kind !== "L") this.#store(address, size, device);
  }

  #load(address: number, size: number, device: boolean): void {
    const bytes = new Uint8Array(size);
    if (device) this.#onDevice(address, bytes, false);
    else this.#mm.read(address, bytes);
    const expected = bytes.map((_, i) => this.#byte(address + i));
    if (bytes.some((byte, i) => byte !== expected[i]))
      throw new Error(`0x${address.toString(16)} holds ${bytes.join(" ")}, not ${expected.join(" ")}`);
  }

  #store(address: number, size: number, device: boolean): void {
    this.#value = (this.#value + 1) & 0xff;
    const bytes = new Uint8Array(size).fill(this.#value);
    if (device) this.#onDevice(address, bytes, true);
    else this.#mm.write(address, bytes);
    for (let at = address; at < address + size; at++) {
      const page = Math.floor(at / PAGE_SIZE);
      const stored = this.#stored.get(page) ?? new Uint8Array(PAGE_SIZE);
      this.#stored.set(page, stored);
      stored[at % PAGE_SIZE] = this.#value;
    }
  }

  #byte(address: number): number {
    return this.#stored.get(Math.floor(address / PAGE_SIZE))?.[address % PAGE_SIZE] ?? 0;
  }

  /**
   * The device reads or writes through its table, one page at a time; missing pages migrate or are mirrored.
   */
  #onDevice(address: number, bytes: Uint8Array, write: boolean): void {
    for (let done = 0; done < bytes.length;) {
      const at = address + done;
      const part = bytes.subarray(done, Math.min(bytes.length, done + PAGE_SIZE - (at % PAGE_SIZE)));
      if (!this.#device.reaches(at, write)) {
        const span = this.#space.grownAt(at);
        if (
          this.#device.moveIn(span, at, write ? "store" : "load") === 0 ||
          !this.#device.reaches(at, write)
        ) {
          const answer = this.#device.mirror(span, at, write);
          if (answer !== 0) throw new HmmError(-answer, "hmmRangeFault", "the device cannot access the page");
        }
        continue;
      }
      const { table } = this.#device;
      done += write ? table.write(at, part) : table.read(at, part);
    }
  }

  /** Checks all stored bytes and every invariant, without a fault. */
  check(): void {
    this.hmm.verify();
    for (const [page, stored] of this.#stored) {
      const entry = this.#mm.lookupPte(page * PAGE_SIZE);
      const same = this.hmm.pageBytes(entry?.pfn ?? 0, (bytes) => Buffer.compare(bytes, stored) === 0);
      if (!same) throw new Error(`page 0x${(page * PAGE_SIZE).toString(16)} does not hold what was stored`);
    }
  }

  /** Allocations left until the injected failure. */
  get left(): number {
    return contextOf("fail-alloc", this.hmm).mem.header(HDR_FAIL_ALLOC);
  }

  close(): void {
    this.#mm.close();
    this.#device.close();
    this.hmm.close();
  }
}

/**
 * Runs the accesses with the nth allocation failing. Throws if an access reports anything but a lack of
 * memory, if a second access reports one, or if a byte is lost.
 */
export function runTrace(accesses: readonly TracedAccess[], nth: number): TraceTrial {
  const run = new TraceRun();
  const trial: TraceTrial = { left: nth };
  run.hmm.failAllocation(nth);
  for (let at = 0; at < accesses.length; at++) {
    try {
      run.perform(accesses[at]);
    } catch (error) {
      const code = lackOfMemory(error);
      if (code === undefined || trial.reported !== undefined || run.left > 0) throw error;
      trial.reported = { at, code };
      run.check();
      at--;
      continue;
    }
    if (trial.left > 0 && run.left === 0) run.check();
    trial.left = run.left;
  }
  run.hmm.failAllocation(0);
  run.check();
  run.close();
  return trial;
}

/**
 * Returns the code of an error that reports a lack of memory, thrown by the engine or by a driver's callback.
 */
function lackOfMemory(error: unknown): string | undefined {
  if (!(error instanceof HmmError)) return undefined;
  const { cause } = error;
  if (error.code === "ENOMEM" || (cause instanceof HmmError && cause.code === "ENOMEM")) return error.code;
  return undefined;
}

/**
 * Returns the part of a recorded program whose allocations fail one by one: the first accesses of each phase.
 */
export function shortTrace(accesses: readonly TracedAccess[]): TracedAccess[] {
  const short: TracedAccess[] = [];
  let phase = 0;
  for (const [i, access] of accesses.entries()) {
    phase = i > 0 && accesses[i - 1].agent === access.agent ? phase + 1 : 0;
    if (phase < PHASE_ACCESSES) short.push(access);
  }
  return short;
}

/** Returns the number of allocations that the accesses make if none fails. */
export function countTraceAllocations(accesses: readonly TracedAccess[]): number {
  const many = 0xffffffff;
  return many - runTrace(accesses, many).left;
}
