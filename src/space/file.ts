import { XBUF_SIZE } from "../../assembly/abi/argument.ts";
import { FILE_BYTES, FILE_DISK, FILE_KIND, FILE_PAGES, FILE_SHMEM } from "../../assembly/abi/object.ts";
import { RESOURCE_FILE } from "../../assembly/abi/pool.ts";
import type { Context } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import { ADDRESS_LIMIT, badRange, badType, checkInteger, checkOptions } from "../engine/errors.ts";
import { count, inspect, line } from "../engine/inspect.ts";
import { run } from "../engine/request.ts";
import { attachMemcg, type Memcg } from "./memcg.ts";

/**
 * "disk": written pages are dirty until msync writes them back. "shmem": tmpfs, which has nothing to write
 * back to.
 */
export type FileKind = "disk" | "shmem";

/** What `hmm.createFile` takes. */
export interface FileOptions {
  /** The size in bytes; all of it reads as zeros until it is written. Default 0. */
  size?: number | undefined;
  /** @deprecated Write `size`. */
  bytes?: number | undefined;
  /** Default "disk". */
  kind?: FileKind | undefined;
}

/** How a file is written. */
export interface FileWriteOptions {
  /** The group that new pages are charged to. Default: none. */
  memcg?: Memcg | undefined;
}

const KINDS: readonly (readonly [FileKind, number])[] = [
  ["disk", FILE_DISK],
  ["shmem", FILE_SHMEM],
];

/**
 * A file in memory, made by `hmm.createFile()`, for `mm.mmap({ file, offset })`. Its page cache is all that
 * it consists of: what `write` and shared mappings have written. The caller closes it; the file lives on
 * while something maps it. Every method throws TypeError after close(), and RangeError or TypeError for bad
 * arguments before anything happens.
 */
export class HmmFile {
  /** Its number, which `vma.file` names. Numbers of files that are gone are used again. */
  readonly id: number;
  readonly #ctx: Context;
  readonly #address: number;
  #closed = false;

  private constructor(ctx: Context, id: number) {
    this.#ctx = ctx;
    this.id = id;
    this.#address = ctx.mem.objectAddress(RESOURCE_FILE, id);
    ctx.files.set(id, this);
  }

  /** @internal hmm.createFile. */
  static create(ctx: Context, options: FileOptions): HmmFile {
    const op = "hmm.createFile";
    checkOptions(op, "options", options);
    const { bytes = 0, size = bytes, kind = "disk" } = options;
    checkInteger(
      op,
      options.size === undefined ? "options.bytes" : "options.size",
      size,
      0,
      ADDRESS_LIMIT - 1,
    );
    const known = KINDS.find(([other]) => other === kind);
    if (known === undefined) throw badRange(op, "options.kind", '"disk" or "shmem"', kind);
    return new HmmFile(ctx, ctx.finish(op, ctx.core.fileCreate(known[1], size)));
  }

  /** @internal The file of a snapshot that had this id. */
  static restore(ctx: Context, id: number): HmmFile {
    return new HmmFile(ctx, id);
  }

  /** Whether the handle is closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** What kind of file it is. */
  get kind(): FileKind {
    const kind = this.check("file.kind").mem.u32(this.#address + FILE_KIND);
    return kind === FILE_DISK ? "disk" : "shmem";
  }

  /** The size in bytes. */
  get size(): number {
    return this.check("file.size").mem.u64(this.#address + FILE_BYTES);
  }

  /** How many pages the page cache holds; the others are holes. */
  get cachedPages(): number {
    return this.check("file.cachedPages").mem.u32(this.#address + FILE_PAGES);
  }

  /**
   * Reads from byte `offset` on, into `target` or into a new array of `target` bytes. Returns the part of the
   * array that was filled, which is shorter at the end of the file. Holes read as zeros.
   */
  read(offset: number, target: Uint8Array | number): Uint8Array {
    const op = "file.read";
    const ctx = this.check(op);
    const bytes =
      typeof target === "number" ? new Uint8Array(checkInteger(op, "target", target, 0, 2 ** 31)) : target;
    if (!(bytes instanceof Uint8Array)) throw badType(op, "target", "a Uint8Array or a length", target);
    checkSpan(op, offset, bytes.length);
    const { address, restore } = ctx.exchange(Math.min(bytes.length, XBUF_SIZE));
    let done = 0;
    let answer = 1;
    while (done < bytes.length && answer > 0) {
      answer = ctx.core.fileRead(this.id, offset + done, Math.min(bytes.length - done, XBUF_SIZE));
      if (answer > 0) bytes.set(ctx.mem.bytes.subarray(address, address + answer), done);
      done += Math.max(answer, 0);
    }
    restore();
    ctx.finish(op, Math.min(answer, 0));
    return done === bytes.length ? bytes : bytes.subarray(0, done);
  }

  /**
   * Writes `bytes` from byte `offset` on; the file grows as needed. Throws HmmError ENOMEM when memory, page
   * tables or the group's limit run out, EAGAIN where a page is in an open migration (error.migration; await
   * its `ended`). Then error.done bytes are written, and the file has grown by those alone.
   */
  write(offset: number, bytes: Uint8Array, options: FileWriteOptions = {}): void {
    const op = "file.write";
    const ctx = this.check(op);
    if (!(bytes instanceof Uint8Array)) throw badType(op, "bytes", "a Uint8Array", bytes);
    checkSpan(op, offset, bytes.length);
    checkOptions(op, "options", options);
    const group = attachMemcg(ctx, op, "options.memcg", options.memcg);
    const { address, restore } = ctx.exchange(Math.min(bytes.length, XBUF_SIZE));
    let done = 0;
    let answer = 1;
    while (done < bytes.length && answer > 0) {
      const part = bytes.subarray(done, done + XBUF_SIZE);
      ctx.mem.bytes.set(part, address);
      answer = ctx.core.fileWrite(this.id, offset + done, part.length, group);
      done += Math.max(answer, 0);
    }
    restore();
    ctx.finish(op, Math.min(answer, 0), { done });
  }

  /**
   * Sets the size in bytes (ftruncate). What lies beyond it is unmapped in every address space, private
   * copies included, after the mirrors were told, and then dropped. Needs no mmapSem. Throws HmmError EDEADLK
   * from a notifier's callback, and EAGAIN, before anything has changed, where a page that it would drop or
   * change is in an open migration.
   */
  truncate(size: number): void {
    const op = "file.truncate";
    const ctx = this.check(op);
    checkInteger(op, "size", size, 0, ADDRESS_LIMIT - 1);
    ctx.demandNoInvalidation(op);
    ctx.finish(op, run(ctx, ctx.core.fileTruncate(this.id, size)));
  }

  /**
   * Makes [offset, offset + length), in bytes, read as zeros (fallocate with FALLOC_FL_PUNCH_HOLE). Whole
   * pages are unmapped in every address space (private copies stay), after the mirrors were told, and
   * dropped; parts of pages are zeroed. The size stays. Throws as {@link truncate}.
   */
  punchHole(offset: number, length: number): void {
    const op = "file.punchHole";
    const ctx = this.check(op);
    checkInteger(op, "length", length, 1, ADDRESS_LIMIT - 1);
    checkSpan(op, offset, length);
    ctx.demandNoInvalidation(op);
    ctx.finish(op, run(ctx, ctx.core.filePunchHole(this.id, offset, length)));
  }

  /** Drops the handle's hold: the file goes when nothing maps it any more. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ctx.files.delete(this.id);
    this.#ctx.finish("file.close", this.#ctx.core.fileClose(this.id));
  }

  [dispose](): void {
    this.close();
  }

  /** @internal */
  [inspect](): string {
    return line(`HmmFile ${this.id}`, this.#closed && "closed", () => [
      this.kind,
      count(this.size, "byte"),
      `${count(this.cachedPages, "page")} cached`,
    ]);
  }

  /** @internal Returns the context. Throws TypeError, naming the operation `op`, if the handle is closed. */
  check(op: string): Context {
    if (this.#closed) throw new TypeError(`${op}: the file is closed`);
    return this.#ctx;
  }
}

/** Refuses a span of bytes that does not end below 2^48. */
function checkSpan(op: string, offset: number, length: number): void {
  checkInteger(op, "offset", offset, 0, ADDRESS_LIMIT - 1);
  if (offset + length >= ADDRESS_LIMIT) throw badRange(op, "length", "such that it ends below 2^48", length);
}

/**
 * @internal Returns the id of the file that mmap maps, 0 for none. Throws TypeError for a closed file or
 * another engine's.
 */
export function checkFile(ctx: Context, op: string, file: unknown): number {
  if (file === undefined || file === null) return 0;
  if (!(file instanceof HmmFile)) throw badType(op, "file", "a HmmFile", file);
  if (file.check(op) !== ctx) throw new TypeError(`${op}: file belongs to another Hmm`);
  return file.id;
}
