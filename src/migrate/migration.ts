import { EBUSY, EINVAL } from "../../assembly/uapi/errno.ts";
import {
  HDR_FAULT_ADDR,
  HDR_FAULT_CODE,
  MIGRATION_CPAGES,
  MIGRATION_END,
  MIGRATION_MOVING,
  MIGRATION_MOVED,
  MIGRATION_NPAGES,
  MIGRATION_PAGES,
  MIGRATION_REASONS,
  MIGRATION_SETUP,
  MIGRATION_SRC,
  MIGRATION_START,
  MIGRATION_STATE,
  MIGRATION_WRONG_DST,
  TABLE_MIGRATION,
} from "../../assembly/abi/struct.ts";
import type { Context, MigrationArrays } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import { hex, HmmError, show } from "../engine/errors.ts";
import type { Mm } from "../space/mm.ts";
import type { Vma } from "../space/vma.ts";
import { MigrateResult } from "./reasons.ts";

/**
 * An open migration: what stands between migrate_vma_setup and migrate_vma_finalize. While it is open its
 * pages are locked and a synchronous CPU access to them fails with EAGAIN.
 *
 * The driver fills `dst` with locked pages of its own (VALID | pfn; 0: leave this page where it is) for the
 * slots of `src` that have MIGRATE, copies their contents, calls `pages()`, updates its table by what is left
 * of MIGRATE in `src`, and finalises. `close()` is `finalize()`; without `pages()` it puts everything back as
 * it was.
 */
export class Migration {
  /** The core's number of it, as EAGAIN errors name it. */
  readonly id: number;
  /** The mapping; null: a range of device memory, in any address space. */
  readonly vma: Vma | null;
  /** @internal */
  readonly mm: Mm | null;
  /** First byte. */
  readonly start: number;
  /** End, exclusive. */
  readonly end: number;
  /** Slots. */
  readonly npages: number;
  /** Candidates that setup collected. */
  readonly cpages: number;
  readonly #ctx: Context;
  readonly #address: number;
  readonly #arrays: MigrationArrays;
  #closed = false;
  /** What became of it, from finalize() on; reasons null: every page moved. */
  #moved = 0;
  #stayed: Uint8Array<ArrayBuffer> | null = null;
  #ran = false;
  #result: MigrateResult | null = null;
  #ended: Promise<void> | null = null;
  #end: (() => void) | null = null;

  /** @internal */
  constructor(ctx: Context, id: number, mm: Mm | null, vma: Vma | null) {
    const address = ctx.mem.objectAddress(TABLE_MIGRATION, id);
    this.#ctx = ctx;
    this.#address = address;
    this.id = id;
    this.mm = mm;
    this.vma = vma;
    this.start = ctx.mem.u64(address + MIGRATION_START);
    this.end = ctx.mem.u64(address + MIGRATION_END);
    this.npages = ctx.mem.u32(address + MIGRATION_NPAGES);
    this.cpages = ctx.mem.u32(address + MIGRATION_CPAGES);
    this.#arrays = ctx.migrationArrays(id, ctx.mem.u32(address + MIGRATION_SRC), this.npages);
    ctx.migrations.push(this);
  }

  /**
   * @internal The migration that setup's answer names, at the end of its API call. If a callback has thrown,
   * nobody will get it: it is given up before the exception goes on.
   */
  static begin(ctx: Context, op: string, answer: number, mm: Mm | null, vma: Vma | null): Migration {
    if (answer < 0) ctx.finish(op, answer);
    const migration = new Migration(ctx, answer, mm, vma);
    try {
      ctx.settle();
    } catch (error) {
      migration.finalize();
      throw error;
    }
    return migration;
  }

  /** Whether it is finalised. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * The source words (migrate_pfn), in linear memory until finalize(); TypeError afterwards. Before pages()
   * the driver may clear MIGRATE in a word, which leaves that page where it is, and change nothing else;
   * afterwards MIGRATE says what moved.
   */
  get src(): Uint32Array<ArrayBuffer> {
    this.#open("migration.src");
    return this.#arrays.src;
  }

  /**
   * The destination words, in linear memory until finalize(); TypeError afterwards. The driver writes them
   * before pages(), which takes the pages over: what is written later has no effect.
   */
  get dst(): Uint32Array<ArrayBuffer> {
    this.#open("migration.dst");
    return this.#arrays.dst;
  }

  /** A REASON_* for each slot: why its page stays (0: it moved, or still may). A copy. */
  get reasons(): Uint8Array<ArrayBuffer> {
    return this.#closed ? this.result.reasons : this.#reasons();
  }

  /** What became of it so far; final after finalize(). */
  get result(): MigrateResult {
    if (!this.#closed) this.#look();
    const { npages, cpages } = this;
    const made = this.#result ?? new MigrateResult(0, npages, cpages, this.#moved, this.#stayed, this.#ran);
    if (this.#closed) this.#result = made;
    return made;
  }

  /**
   * migrate_vma_pages: moves the pages whose dst is filled; what does not move loses MIGRATE in src. Call it
   * once, with mmapSem still held. Returns how many pages moved. Throws TypeError when called twice, after
   * finalize(), or with the lock free; HmmError EINVAL, before anything moves, if a word of src was changed
   * or a word of dst names no page that may be given.
   */
  pages(): number {
    const op = "migration.pages";
    this.#open(op);
    if (this.#state !== MIGRATION_SETUP) throw new TypeError(`${op}: called twice`);
    this.mm?.mmapSem.demand(op, false);
    const ctx = this.#ctx;
    const moved = ctx.run(ctx.core.migratePages(this.id));
    if (moved !== -EINVAL) return ctx.finish(op, moved);
    return ctx.abort(ctx.error(op, EINVAL, this.#wrongWord()));
  }

  /**
   * migrate_vma_finalize: every entry names the page where it now is, pages are unlocked, and the references
   * to the destinations that were not used are dropped. Wakes whoever waits for the migration. Twice:
   * nothing.
   */
  finalize(): void {
    if (this.#closed) return;
    const ctx = this.#ctx;
    if (this.#state === MIGRATION_MOVING)
      throw new HmmError(EBUSY, "migration.finalize", "pages() is still running: a callback must not end it");
    this.#look();
    this.#closed = true;
    const { migrations } = ctx;
    const last = migrations.pop();
    if (last !== this) migrations[migrations.indexOf(this)] = last!;
    let answer = ctx.core.migrateFinalize(this.id);
    // Destinations that pages() has refused, or would have: they are not the migration's to let go.
    for (let left = this.npages; answer === -EINVAL && left > 0; left--) {
      this.#arrays.dst[ctx.mem.headerF64(HDR_FAULT_ADDR)] = 0;
      answer = ctx.core.migrateFinalize(this.id);
    }
    this.#end?.();
    ctx.finish("migration.finalize", answer);
  }

  /** As finalize(). */
  close(): void {
    this.finalize();
  }

  [dispose](): void {
    this.finalize();
  }

  /** Settles when it is finalised. */
  get ended(): Promise<void> {
    if (this.closed) return Promise.resolve();
    return (this.#ended ??= new Promise((resolve) => (this.#end = resolve)));
  }

  /** @internal The address of src, if these are its arrays and it is open: dst follows it. Else 0. */
  addressOf(src: unknown, dst: unknown): number {
    const { address, src: own, dst: ownDst } = this.#arrays;
    return src === own && dst === ownDst && !this.#closed ? address : 0;
  }

  /** @internal */
  check(op: string, ctx: Context): this {
    this.#open(op);
    if (this.#ctx !== ctx) throw new TypeError(`${op}: the migration belongs to another Hmm`);
    return this;
  }

  get #state(): number {
    return this.#ctx.mem.u32(this.#address + MIGRATION_STATE);
  }

  get #pagesDone(): boolean {
    return this.#state === MIGRATION_PAGES;
  }

  /** What is wrong with the word that the core refused. */
  #wrongWord(): string {
    const { mem } = this.#ctx;
    const i = mem.headerF64(HDR_FAULT_ADDR);
    if (mem.header(HDR_FAULT_CODE) === MIGRATION_WRONG_DST)
      return `dst[${i}] must name a locked page of yours that is mapped nowhere, got ${show(this.#arrays.dst[i])}`;
    // The core's own words of src follow the driver's two arrays.
    const own = mem.u32(this.#arrays.address + 8 * this.npages + 4 * i);
    const got = show(this.#arrays.src[i]);
    return `src[${i}] must be ${hex(own)}, as setup left it, or that without MIGRATE, got ${got}`;
  }

  #open(op: string): void {
    if (this.#closed) throw new TypeError(`${op}: the migration is finalised`);
  }

  #reasons(): Uint8Array<ArrayBuffer> {
    const { mem } = this.#ctx;
    const address = mem.u32(this.#address + MIGRATION_REASONS);
    return mem.bytes.slice(address, address + this.npages);
  }

  /** Takes over what the core knows of it now. */
  #look(): void {
    this.#moved = this.#ctx.mem.u32(this.#address + MIGRATION_MOVED);
    this.#stayed = this.#moved === this.npages ? null : this.#reasons();
    this.#ran = this.#pagesDone;
  }
}
