import { EBUSY } from "../../assembly/uapi/errno.ts";
import { MEMCG_LIMIT, MEMCG_MEMBERS, MEMCG_USAGE } from "../../assembly/abi/object.ts";
import { RESOURCE_MEMCG } from "../../assembly/abi/pool.ts";
import { NO_LIMIT } from "../../assembly/abi/argument.ts";
import type { Context } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import { badType, checkInteger, checkOptions, HmmError } from "../engine/errors.ts";
import { count, inspect, line } from "../engine/inspect.ts";

/**
 * A memory cgroup: pages of its address spaces are charged to it, in system memory and in device memory
 * alike. It belongs to no engine until `hmm.createMm({ memcg })` or `file.write` first names it, and to that
 * engine afterwards.
 */
export class Memcg {
  #ctx: Context | null = null;
  #id = 0;
  #limit: number;
  #closed = false;

  /**
   * @param options.limit how many pages may be charged. Default: no limit.
   *
   * Throws RangeError and TypeError unless the limit is Infinity or an integer from 0 to 2^32 - 2.
   */
  constructor(options: { limit?: number | undefined } = {}) {
    checkOptions("new Memcg", "options", options);
    this.#limit = limitOf("new Memcg", options.limit);
  }

  /** How many pages may be charged; Infinity without a limit. */
  get limit(): number {
    const limit = this.#field(MEMCG_LIMIT, this.#limit);
    return limit === NO_LIMIT ? Infinity : limit;
  }

  /**
   * Sets the limit, in pages (Infinity: none). Pages that are charged beyond a lower limit stay charged.
   * Throws RangeError as the constructor does, TypeError after close().
   */
  set limit(pages: number) {
    const op = "memcg.limit";
    if (this.#closed) throw new TypeError(`${op}: memcg is closed`);
    this.#limit = limitOf(op, pages);
    this.#ctx?.finish(op, this.#ctx.core.memcgSetLimit(this.#id, this.#limit));
  }

  /** How many pages are charged now, device memory included. */
  get usage(): number {
    return this.#field(MEMCG_USAGE, 0);
  }

  /** How many address spaces are charged to it. */
  get members(): number {
    return this.#field(MEMCG_MEMBERS, 0);
  }

  /**
   * Gives the group back. Idempotent. Throws HmmError EBUSY while an address space or a page is charged to
   * it.
   */
  close(): void {
    if (this.#closed) return;
    if (this.#ctx !== null) {
      const op = "memcg.close";
      this.#limit = this.#field(MEMCG_LIMIT, this.#limit);
      const answer = this.#ctx.core.memcgDestroy(this.#id);
      if (answer === -EBUSY) {
        const detail = `${this.members} address spaces and ${this.usage} pages are charged to it`;
        throw new HmmError(EBUSY, op, detail);
      }
      this.#ctx.finish(op, answer);
      this.#ctx.memcgs.delete(this.#id);
    }
    this.#closed = true;
  }

  [dispose](): void {
    this.close();
  }

  /** @internal */
  [inspect](): string {
    return line("Memcg", this.#closed && "closed", () => [
      `${this.usage} of ${this.limit} pages charged`,
      count(this.members, "address space"),
    ]);
  }

  /** @internal The group of a snapshot that had this id. */
  static restore(ctx: Context, id: number): Memcg {
    const memcg = new Memcg();
    memcg.#belong(ctx, id);
    return memcg;
  }

  /** @internal Returns the group's id in ctx's engine, which the group belongs to from now on. */
  attach(ctx: Context, op: string): number {
    if (this.#closed) throw new TypeError(`${op}: memcg is closed`);
    if (this.#ctx === ctx) return this.#id;
    if (this.#ctx !== null) throw new TypeError(`${op}: memcg belongs to another Hmm`);
    this.#belong(ctx, ctx.finish(op, ctx.core.memcgCreate(this.#limit)));
    return this.#id;
  }

  #belong(ctx: Context, id: number): void {
    this.#ctx = ctx;
    this.#id = id;
    ctx.memcgs.set(id, this);
  }

  /** A field of the core's object, or `otherwise` while there is none. */
  #field(offset: number, otherwise: number): number {
    if (this.#ctx === null || this.#closed) return otherwise;
    const { mem } = this.#ctx;
    return mem.u32(mem.objectAddress(RESOURCE_MEMCG, this.#id) + offset);
  }
}

function limitOf(op: string, limit: number | undefined): number {
  if (limit === undefined || limit === Infinity) return NO_LIMIT;
  return checkInteger(op, "limit", limit, 0, NO_LIMIT - 1);
}

/**
 * @internal Returns the id of an optional memcg in ctx's engine, 0 for none. Throws TypeError for a wrong or
 * closed group.
 */
export function attachMemcg(ctx: Context, op: string, argument: string, memcg: unknown): number {
  if (memcg === undefined) return 0;
  if (!(memcg instanceof Memcg)) throw badType(op, argument, "a Memcg", memcg);
  return memcg.attach(ctx, op);
}
