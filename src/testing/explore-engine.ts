import { HDR_FRAMES } from "../../assembly/abi/header.ts";
import { contextOf } from "../engine/context.ts";
import { checkOptions } from "../engine/errors.ts";
import { Hmm, PAGE_SIZE, type HmmConfig } from "../index.ts";

/** A small engine: what is hashed and cleared for each schedule should be no larger than needed. */
const SMALL: HmmConfig = {
  systemMemory: 64 * PAGE_SIZE,
  deviceMemory: 4 << 20,
  arena: 1 << 16,
  eventLog: 16,
  capacities: {
    mms: 16,
    vmas: 64,
    anonVmas: 64,
    anonVmaLinks: 128,
    pageTables: 64,
    notifiers: 16,
    memcgs: 4,
    migrations: 16,
    deviceTables: 8,
    files: 8,
  },
};

/**
 * Engines as they are after boot, one at a time. The instance is used again: its memory is put back to what it was. That
 * takes a tenth of the time that a new instance takes, and a twentieth of what Hmm.restore takes.
 */
export class Engines {
  readonly #first: Hmm;
  readonly #booted: Uint8Array;

  constructor(config: HmmConfig = {}) {
    checkOptions("explore", "options.config", config);
    if (config.capacities !== undefined)
      checkOptions("explore", "options.config.capacities", config.capacities);
    const capacities = { ...SMALL.capacities, ...config.capacities };
    this.#first = Hmm.createSync({ ...SMALL, ...config, capacities });
    const { mem } = contextOf("explore", this.#first);
    this.#booted = mem.bytes.slice(0, mem.header(HDR_FRAMES) || mem.bytes.length);
  }

  /** A fresh engine. The one before is dead: what belongs to it must not be used any more. */
  next(): Hmm {
    const { core, mem, settings } = contextOf("explore", this.#first);
    mem.bytes.set(this.#booted);
    mem.bytes.fill(0, this.#booted.length);
    // The constructor is private to others: it takes a core that has been booted.
    return Reflect.construct(Hmm, [core, this.#first.module, mem, settings]) as Hmm;
  }
}
