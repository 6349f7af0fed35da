import { NO_LIMIT } from "../../assembly/abi/argument.ts";
import { EBUSY } from "../../assembly/uapi/errno.ts";
import { MEMCG_LIMIT, MEMCG_MEMBERS, MEMCG_USAGE } from "../../assembly/abi/object.ts";
import { RESOURCE_MEMCG } from "../../assembly/abi/pool.ts";
import type { Context } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import { checkInteger, checkOptions, HmmError } from "../engine/errors.ts";

/**
 * A memory cgroup: the pages of its address spaces are charged to it, in system memory and in device memory alike. It
 * belongs to no engine until the first `hmm.createMm({ memcg })` that names it, and to that engine afterwards.
 */
export class Memcg {
  #ctx: Context | null = null;
  #id = 0;
  #limit: number;
  #closed = false;

  /**
   * @param options.limit pages that may be charged; no limit if left out. Throws RangeError unless an integer from 0
   * to 2^32 - 2.
   */
  constructor(options: { limit?: number } = {}) {
    checkOptions("new Memcg", "options", options);
    this.#limit = limitOf("new Memcg", options.limit);
  }

  /** Pages that may be charged; Infinity without a limit. */
  get limit(): number {
    const limit =
      this.#ctx === null || this.#closed
        ? this.#limit
        : this.#ctx.mem.u32(this.#address(this.#ctx) + MEMCG_LIMIT);
    return limit === NO_LIMIT ? Infinity : limit;
  }

  /** A new limit (Infinity: none). What is charged beyond it stays. Throws RangeError, and TypeError after close(). */
  set limit(pages: number) {
    if (this.#closed) throw new TypeError("memcg.limit: memcg is closed");
    this.#limit = limitOf("memcg.limit", pages);
    if (this.#ctx === null) return;
    this.#ctx.finish("memcg.limit", this.#ctx.core.memcgSetLimit(this.#id, this.#limit));
  }

  /** Pages charged now, device memory included. */
  get usage(): number {
    return this.#ctx === null || this.#closed ? 0 : this.#ctx.mem.u32(this.#address(this.#ctx) + MEMCG_USAGE);
  }

  /** Address spaces that are charged to it. */
  get members(): number {
    return this.#ctx === null || this.#closed
      ? 0
      : this.#ctx.mem.u32(this.#address(this.#ctx) + MEMCG_MEMBERS);
  }

  /** Gives the group back. Throws HmmError EBUSY while an address space or a page is charged to it. Twice: nothing. */
  close(): void {
    if (this.#closed) return;
    if (this.#ctx !== null) {
      this.#limit = this.#ctx.mem.u32(this.#address(this.#ctx) + MEMCG_LIMIT);
      const answer = this.#ctx.core.memcgDestroy(this.#id);
      if (answer === -EBUSY) {
        const detail = `${this.members} address spaces and ${this.usage} pages are charged to it`;
        throw new HmmError(EBUSY, "memcg.close", detail);
      }
      this.#ctx.finish("memcg.close", answer);
      this.#ctx.memcgs.delete(this.#id);
    }
    this.#closed = true;
  }

  [dispose](): void {
    this.close();
  }

  /** @internal The id in ctx's engine, made on first use. */
  attach(ctx: Context, op: string): number {
    if (this.#closed) throw new TypeError(`${op}: memcg is closed`);
    if (this.#ctx === ctx) return this.#id;
    if (this.#ctx !== null) throw new TypeError(`${op}: memcg belongs to another Hmm`);
    this.#id = ctx.finish(op, ctx.core.memcgCreate(this.#limit));
    this.#ctx = ctx;
    ctx.memcgs.set(this.#id, this);
    return this.#id;
  }

  /** @internal A group that a snapshot held. */
  static restore(ctx: Context, id: number): Memcg {
    const memcg = new Memcg();
    memcg.#ctx = ctx;
    memcg.#id = id;
    ctx.memcgs.set(id, memcg);
    return memcg;
  }

  #address(ctx: Context): number {
    return ctx.mem.objectAddress(RESOURCE_MEMCG, this.#id);
  }
}

function limitOf(op: string, limit: number | undefined): number {
  if (limit === undefined || limit === Infinity) return NO_LIMIT;
  return checkInteger(op, "limit", limit, 0, NO_LIMIT - 1);
}
