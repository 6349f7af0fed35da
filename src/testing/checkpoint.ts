import { HDR_FLAG_LOG, HDR_FLAG_STEPS, HDR_FLAGS } from "../../assembly/abi/header.ts";
import { contextOf, type Context } from "../engine/context.ts";
import { checkOptions } from "../engine/errors.ts";
import { SavedMemory } from "../engine/saved-memory.ts";
import { Hmm } from "../hmm.ts";
import {
  checkAttachments,
  describe,
  restoreObjects,
  type RestoreAttachments,
  type SnapshotHeader,
} from "../snapshot.ts";

const OP = "new Checkpoint";
const SAVE = "checkpoint.save";
const REWIND = "checkpoint.rewind";

/** The core of an engine that was rewound: whatever is asked of it throws. */
const REWOUND = new Proxy({} as Context["core"], {
  get() {
    throw new TypeError("the engine was rewound: use the one that rewind() has returned");
  },
});

/**
 * A state of an engine, to which {@link Checkpoint.rewind} brings the engine back as often as needed. It is
 * what `hmm.snapshot()` and `Hmm.restore()` do, in place, at the cost of what has changed: the first
 * checkpoint copies the pages that were ever written, save() and rewind() the 64 KiB around each page whose
 * bytes have changed since, and the tables of the engine, which take a hundredth of its memory.
 *
 * An engine has one checkpoint at a time: a second one takes the place of the first, which must not be used
 * any more. What callbacks keep in JavaScript is not part of the state, as with snapshots.
 */
export class Checkpoint {
  readonly #saved: SavedMemory;
  #hmm: Hmm;
  #header: SnapshotHeader;

  /**
   * Notes the state of an engine as it is now. Throws TypeError for anything but an Hmm, and inside a
   * driver's callback.
   */
  constructor(hmm: Hmm) {
    const ctx = contextOf(OP, hmm);
    ctx.demandOutermost(OP);
    this.#hmm = hmm;
    this.#header = describe(ctx);
    this.#saved = new SavedMemory(ctx.mem);
  }

  /** The engine: the one that the checkpoint was made of, or the one that rewind() returned last. */
  get hmm(): Hmm {
    return this.#hmm;
  }

  /** Notes the state of the engine as it is now, instead. Throws TypeError inside a driver's callback. */
  save(): void {
    const ctx = contextOf(SAVE, this.#hmm);
    ctx.demandOutermost(SAVE);
    this.#header = describe(ctx);
    this.#saved.save();
  }

  /**
   * Brings the memory back, and returns the engine that goes on from there. The engine from before is dead,
   * with all objects that belong to it: their calls throw TypeError. `attach` gives mirrors, notifiers and
   * devmems their callbacks again, as in `Hmm.restore()`; a missing one is a RangeError that names it, and
   * nothing has changed. Throws TypeError inside a driver's callback.
   */
  rewind(attach: RestoreAttachments = {}): Hmm {
    checkOptions(REWIND, "attach", attach);
    const ctx = contextOf(REWIND, this.#hmm);
    ctx.demandOutermost(REWIND);
    checkAttachments(this.#header, attach, REWIND);
    const { core, mem, settings } = ctx;
    this.#saved.rewind();
    mem.setHeader(HDR_FLAGS, mem.header(HDR_FLAGS) & ~(HDR_FLAG_LOG | HDR_FLAG_STEPS));
    for (const holder of [ctx, ...ctx.mms.values()]) Object.assign(holder, { core: REWOUND });
    this.#hmm = Hmm.over(core, this.#hmm.module, mem, settings);
    restoreObjects(contextOf(REWIND, this.#hmm), this.#header, attach);
    return this.#hmm;
  }
}
