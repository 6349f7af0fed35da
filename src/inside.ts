/**
 * The door to an engine's insides, for the package's own test tools: the explorer compares engines and
 * rewinds them. Other code uses the public API.
 */
import { HDR_FRAMES } from "../assembly/abi/header.ts";
import { contextOf } from "./engine/context.ts";
import type { Memory } from "./engine/memory.ts";
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

/** An engine as it is now, to be had again and again, one at a time. */
export class Rewinder {
  readonly #op: string;
  readonly #hmm: Hmm;
  /** Linear memory up to the frames, which are zero after boot. */
  readonly #image: Uint8Array;

  /** @param hmm an engine that has just been made; it must not be used any more. */
  constructor(op: string, hmm: Hmm) {
    this.#op = op;
    this.#hmm = hmm;
    const { mem } = contextOf(op, hmm);
    this.#image = mem.bytes.slice(0, mem.header(HDR_FRAMES) || mem.bytes.length);
  }

  /**
   * Returns a fresh engine in the same memory. The engine from before is dead, with all objects that belong
   * to it.
   */
  next(): Hmm {
    const { core, mem, settings } = contextOf(this.#op, this.#hmm);
    mem.bytes.set(this.#image);
    mem.bytes.fill(0, this.#image.length);
    return Hmm.over(core, this.#hmm.module, mem, settings);
  }
}
