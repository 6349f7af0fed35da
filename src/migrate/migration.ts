import { EBUSY, EINVAL } from "../../assembly/uapi/errno.ts";
import { HDR_FAULT_ADDR, HDR_FAULT_CODE } from "../../assembly/abi/header.ts";
import {
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
} from "../../assembly/abi/object.ts";
import { RESOURCE_MIGRATION } from "../../assembly/abi/pool.ts";
import type { Context, MigrationArrays } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import { HmmError, hex, show } from "../engine/errors.ts";
import { count, inspect, line, span } from "../engine/inspect.ts";
import type { Bytes, Words } from "../engine/host.ts";
import { run } from "../engine/request.ts";
import type { Mm } from "../space/mm.ts";
import type { Vma } from "../space/vma.ts";
import { MigrateResult } from "./reasons.ts";

/**
 * An open migration: what exists between migrate_vma_setup and migrate_vma_finalize. While it is open its
 * pages are locked, and a synchronous CPU access to them fails with EAGAIN.
 *
 * For each slot of `src` that has MIGRATE, the driver puts a locked page of its own into `dst` (VALID | pfn),
 * or leaves 0 there so that the page stays. It copies the contents, calls `pages()`, updates its page table
 * by what is left of MIGRATE in `src`, and finalizes. `close()` is `finalize()`; without `pages()` it puts
 * everything back as it was.
 */
export class Migration {
  /** The core's number of the migration, which EAGAIN errors name. */
  readonly id: number;
  /** The mapping; null for a range of device memory, which any address space may map. */
  readonly vma: Vma | null;
  /** @internal The address space of the mapping. */
  readonly mm: Mm | null;
  /** The first byte. */
  readonly start: number;
  /** The end, exclusive. */
  readonly end: number;
  /** How many slots src and dst have: one for each page. */
  readonly npages: number;
  /** How many candidates setup collected. */
  readonly cpages: number;
  readonly #ctx: Context;
  readonly #address: number;
  readonly #arrays: MigrationArrays;
  #closed = false;
  /** What became of the pages, from finalize() on; #stayed null: every page moved. */
  #moved = 0;
  #stayed: Bytes | null = null;
  #ran = false;
  #result: MigrateResult | null = null;
  #ended: Promise<void> | null = null;
  #end: (() => void) | null = null;

  private constructor(ctx: Context, id: number, vma: Vma | null, mm: Mm | null) {
    const address = ctx.mem.objectAddress(RESOURCE_MIGRATION, id);
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
   * @internal Makes the migration that setup's answer names, and ends setup's API call. If a callback has
   * thrown, the caller gets no migration: it is finalized before the exception goes on.
   */
  static begin(ctx: Context, op: string, answer: number, vma: Vma | null): Migration {
    if (answer < 0) ctx.finish(op, answer);
    const migration = new Migration(ctx, answer, vma, vma === null ? null : vma.mm);
    try {
      ctx.settle();
    } catch (error) {
      migration.finalize();
      throw error;
    }
    return migration;
  }

  /**
   * @internal The migration of a snapshot that had this id. Its mapping may be gone, though its mm is open.
   */
  static restore(ctx: Context, id: number, vma: Vma | null, mm: Mm | null): Migration {
    return new Migration(ctx, id, vma, mm);
  }

  /** Whether it is finalized. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * The source words (migrate_pfn), in linear memory until finalize(); throws TypeError afterwards. Before
   * pages() the driver may clear MIGRATE in a word, which leaves that page where it is, and may change
   * nothing else; after pages() MIGRATE says what moved.
   */
  get src(): Words {
    this.#open("migration.src");
    return this.#arrays.src;
  }

  /**
   * The destination words, in linear memory until finalize(); throws TypeError afterwards. The driver writes
   * them before pages(), which takes the pages over: what is written later has no effect.
   */
  get dst(): Words {
    this.#open("migration.dst");
    return this.#arrays.dst;
  }

  /**
   * A copy of the reasons, a REASON_* for each slot: why its page stays. 0: it moved, or is still a
   * candidate.
   */
  get reasons(): Bytes {
    return this.#closed ? this.result.reasons : this.#reasons();
  }

  /** What became of the migration so far; final after finalize(). */
  get result(): MigrateResult {
    if (!this.#closed) this.#look();
    const { npages, cpages } = this;
    const made = this.#result ?? MigrateResult.of(0, npages, cpages, this.#moved, this.#stayed, this.#ran);
    if (this.#closed) this.#result = made;
    return made;
  }

  /**
   * Moves the pages whose dst is filled; a page that does not move loses MIGRATE in src (migrate_vma_pages).
   * Returns how many pages moved. Call it once, with mmapSem still held.
   *
   * Throws TypeError when called twice, after finalize(), or with the lock free; HmmError EINVAL, before
   * anything moves, if a word of src was changed or a word of dst does not name a page that the driver may
   * give.
   */
  pages(): number {
    const op = "migration.pages";
    this.#open(op);
    if (this.#state !== MIGRATION_SETUP) throw new TypeError(`${op}: called twice`);
    this.mm?.mmapSem.demand(op, false);
    const ctx = this.#ctx;
    const moved = run(ctx, ctx.core.migratePages(this.id));
    if (moved !== -EINVAL) return ctx.finish(op, moved);
    return ctx.abort(ctx.error(op, EINVAL, this.#wrongWord()));
  }

  /**
   * Ends the migration (migrate_vma_finalize): every entry names the page where it now is, pages are
   * unlocked, and references on destinations that were not used are dropped. Wakes the accesses that wait for
   * the migration. Idempotent.
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
    // Destinations that pages() refused, or would have refused, do not belong to the migration: it must not
    // drop them.
    for (let left = this.npages; answer === -EINVAL && left > 0; left--) {
      this.#arrays.dst[ctx.mem.headerF64(HDR_FAULT_ADDR)] = 0;
      answer = ctx.core.migrateFinalize(this.id);
    }
    this.#end?.();
    ctx.finish("migration.finalize", answer);
  }

  /** Ends the migration, as {@link finalize} does. */
  close(): void {
    this.finalize();
  }

  [dispose](): void {
    this.finalize();
  }

  /** Settles when the migration is finalized. */
  get ended(): Promise<void> {
    if (this.closed) return Promise.resolve();
    return (this.#ended ??= new Promise((resolve) => (this.#end = resolve)));
  }

  /** @internal */
  [inspect](): string {
    const { npages, cpages } = this;
    const { moved, stayed } = this.result;
    const state = this.#closed ? "finalized" : this.#pagesDone ? "pages() done" : "set up";
    return line(`Migration ${this.id}`, false, () => [
      this.mm === null ? "of device memory" : `mm ${this.mm.id}, ${span(this.start, this.end)}`,
      count(npages, "page"),
      count(cpages, "candidate"),
      state,
      state !== "set up" && `${moved} moved, ${stayed.length} stayed`,
    ]);
  }

  /** @internal See OpenMigration. */
  addressOf(src: unknown, dst: unknown): number {
    const { address, src: own, dst: ownDst } = this.#arrays;
    return src === own && dst === ownDst && !this.#closed ? address : 0;
  }

  /** @internal Returns the migration. Throws TypeError if it is finalized or belongs to another engine. */
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
    if (mem.header(HDR_FAULT_CODE) === MIGRATION_WRONG_DST) {
      const got = show(this.#arrays.dst[i]);
      return `dst[${i}] must name a locked page of yours that is mapped nowhere, got ${got}`;
    }
    // The core's own src and dst lie before the reasons.
    const own = mem.u32(mem.u32(this.#address + MIGRATION_REASONS) - 8 * this.npages + 4 * i);
    const got = show(this.#arrays.src[i]);
    return `src[${i}] must be ${hex(own)}, as setup left it, or that without MIGRATE, got ${got}`;
  }

  #open(op: string): void {
    if (this.#closed) throw new TypeError(`${op}: the migration is finalized`);
  }

  #reasons(): Bytes {
    const { mem } = this.#ctx;
    const address = mem.u32(this.#address + MIGRATION_REASONS);
    return mem.bytes.slice(address, address + this.npages);
  }

  /** Takes over what the core knows of the migration now. */
  #look(): void {
    this.#moved = this.#ctx.mem.u32(this.#address + MIGRATION_MOVED);
    this.#stayed = this.#moved === this.npages ? null : this.#reasons();
    this.#ran = this.#pagesDone;
  }
}
