/**
 * The door to an engine's insides, for the package's own tools: the explorer compares engines and rewinds
 * them, and the lab looks into them while an operation runs. Other code uses the public API.
 */
import { HDR_FLAGS, HDR_FLAG_STEPS } from "../assembly/abi/header.ts";
import { MM_SEQ, MM_WINDOWS } from "../assembly/abi/object.ts";
import { RESOURCE_MM } from "../assembly/abi/pool.ts";
import { boot, checkConfig, type HmmConfig } from "./engine/config.ts";
import { contextOf } from "./engine/context.ts";
import { describePage, type PageDescription } from "./engine/describe.ts";
import type { Memory } from "./engine/memory.ts";
import { SavedMemory } from "./engine/saved-memory.ts";
import { wipe } from "./engine/wipe.ts";
import { Hmm } from "./hmm.ts";
import type { Mm } from "./space/mm.ts";

/** What an engine's future depends on, beside the callbacks of drivers. */
export interface EngineState {
  /** Linear memory. */
  readonly mem: Memory;
  /** The open address spaces, with their locks and tracked ranges. */
  readonly mms: Iterable<Mm>;
}

/** Returns the state of an engine, live. Throws TypeError for anything but an Hmm. */
export function stateOf(op: string, hmm: Hmm): EngineState {
  const { mem, mms } = contextOf(op, hmm);
  return { mem, mms: mms.values() as Iterable<Mm> };
}

/** Describes the page of a frame number, in use or not. Throws TypeError for anything but an Hmm. */
export function frameOf(hmm: Hmm, page: number): PageDescription {
  return describePage(contextOf("frameOf", hmm), page);
}

/** Returns an address space's notifier sequence, odd while a window is open, and how many are open. */
export function windowsOf(mm: Mm): { seq: number; open: number } {
  const { mem } = mm.check("windowsOf");
  const address = mem.objectAddress(RESOURCE_MM, mm.id);
  return { seq: mem.u32(address + MM_SEQ), open: mem.u32(address + MM_WINDOWS) };
}

/**
 * Has `look` called at the step points of operations, STEP_* (assembly/abi/request.ts), until it is null.
 * `look` must neither throw nor change anything. Operations cost nothing more while nobody looks.
 */
export function watchSteps(hmm: Hmm, look: ((point: number) => void) | null): void {
  const ctx = contextOf("watchSteps", hmm);
  const flags = ctx.mem.header(HDR_FLAGS) & ~HDR_FLAG_STEPS;
  ctx.mem.setHeader(HDR_FLAGS, look === null ? flags : flags | HDR_FLAG_STEPS);
  ctx.onStep = look;
}

/** An engine as it is now, to be had again and again, one at a time. */
export class Rewinder {
  readonly #op: string;
  readonly #hmm: Hmm;
  readonly #saved: SavedMemory;

  /** @param hmm an engine that has just been made; it must not be used any more. */
  constructor(op: string, hmm: Hmm) {
    this.#op = op;
    this.#hmm = hmm;
    this.#saved = new SavedMemory(contextOf(op, hmm).mem);
  }

  /**
   * Returns a fresh engine in the same memory. The engine from before is dead, with all objects that belong
   * to it.
   */
  next(): Hmm {
    const { core, mem, settings } = contextOf(this.#op, this.#hmm);
    this.#saved.rewind();
    return Hmm.over(core, this.#hmm.module, mem, settings);
  }
}

/** Engines with more memory than this are made anew: to zero it would take longer. */
const KEPT_MAX = 64 << 20;

/**
 * Makes engines one after the other, in the memory of the one before: each is as if it had just been made,
 * byte for byte, without the time that new memory and a new instance of the core take.
 */
export class EngineSlot {
  #last: Hmm | null = null;

  /** Makes an engine as {@link Hmm.create} does. */
  async take(config: HmmConfig): Promise<Hmm> {
    const last = this.#last;
    if (last === null) return Hmm.create(config);
    this.#last = null;
    const { core, mem } = contextOf("EngineSlot.take", last);
    wipe(mem);
    const booted = boot(core, checkConfig(config));
    return Hmm.over(core, last.module, booted.mem, booted.settings);
  }

  /** Takes an engine back, which must not be used any more and has not panicked. */
  give(hmm: Hmm): void {
    const { mem } = contextOf("EngineSlot.give", hmm);
    this.#last = mem.bytes.length <= KEPT_MAX ? hmm : null;
  }
}
