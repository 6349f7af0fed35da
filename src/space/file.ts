import { XBUF_SIZE } from "../../assembly/abi/argument.ts";
import { FILE_BYTES, FILE_DISK, FILE_KIND, FILE_PAGES, FILE_SHMEM } from "../../assembly/abi/object.ts";
import { RESOURCE_FILE } from "../../assembly/abi/pool.ts";
import type { Context } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import { ADDRESS_LIMIT, badRange, badType, checkInteger, checkOptions } from "../engine/errors.ts";
import { Memcg } from "./memcg.ts";

/** "disk": pages that were written are dirty until msync writes them back. "shmem": tmpfs, which never writes back. */
export type FileKind = "disk" | "shmem";

/** What `hmm.createFile` takes. */
export interface FileOptions {
  /** Its size; all of it reads as zeros until it is written. Default 0. */
  bytes?: number;
  /** Default "disk". */
  kind?: FileKind;
}

/** How a file is written. */
export interface FileWriteOptions {
  /** The group that is charged for pages that are new. Default: nobody. */
  memcg?: Memcg;
}

const KINDS: readonly (readonly [FileKind, number])[] = [
  ["disk", FILE_DISK],
  ["shmem", FILE_SHMEM],
];

/**
 * A file in memory, made by `hmm.createFile()`, for `mm.mmap({ file, offset })`. Its page cache is all there is of it: it
 * holds what was written, by `write` or through shared mappings. Whoever has it closes it; it lives on while something
 * maps it. All methods throw TypeError after close(), RangeError and TypeError for bad arguments before anything
 * happens.
 */
export class HmmFile {
  /** Its number, as `vma.file` has it; numbers of files that are gone are used again. */
  readonly id: number;
  readonly #ctx: Context;
  readonly #address: number;
  #closed = false;

  /** @internal */
  constructor(ctx: Context, id: number) {
    this.#ctx = ctx;
    this.id = id;
    this.#address = ctx.mem.objectAddress(RESOURCE_FILE, id);
    ctx.files.set(id, this);
  }

  get closed(): boolean {
    return this.#closed;
  }

  get kind(): FileKind {
    const kind = this.check("file.kind").mem.u32(this.#address + FILE_KIND);
    return kind === FILE_DISK ? "disk" : "shmem";
  }

  /** Its size in bytes. */
  get size(): number {
    return this.check("file.size").mem.u64(this.#address + FILE_BYTES);
  }

  /** Pages that its page cache has; the others are holes. */
  get cachedPages(): number {
    return this.check("file.cachedPages").mem.u32(this.#address + FILE_PAGES);
  }

  /**
   * Reads from `offset` on: into `target`, or into a new array of so many bytes. Returns the bytes read as a part of it,
   * fewer than asked for at the end of the file. Holes read as zeros.
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
   * Writes from `offset` on. The file grows as needed. Throws HmmError ENOMEM when memory, page tables or the group's
   * limit run out, EAGAIN where a page is in an open migration (error.migration; await its `ended`); error.done bytes
   * are written then, and the file has grown by them alone.
   */
  write(offset: number, bytes: Uint8Array, options: FileWriteOptions = {}): void {
    const op = "file.write";
    const ctx = this.check(op);
    if (!(bytes instanceof Uint8Array)) throw badType(op, "bytes", "a Uint8Array", bytes);
    checkSpan(op, offset, bytes.length);
    checkOptions(op, "options", options);
    const { memcg } = options;
    if (memcg !== undefined && !(memcg instanceof Memcg))
      throw badType(op, "options.memcg", "a Memcg", memcg);
    const group = memcg === undefined ? 0 : memcg.attach(ctx, op);
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
   * ftruncate: sets the size. What lies beyond it is unmapped in every address space, private copies too, after their
   * mirrors were told; then it is dropped. Needs no mmapSem. Throws HmmError EDEADLK from a notifier's callback, EAGAIN
   * where a page that it would take or change is in an open migration (nothing has changed then).
   */
  truncate(bytes: number): void {
    const op = "file.truncate";
    const ctx = this.check(op);
    checkInteger(op, "bytes", bytes, 0, ADDRESS_LIMIT - 1);
    ctx.demandNoInvalidation(op);
    ctx.finish(op, ctx.run(ctx.core.fileTruncate(this.id, bytes)));
  }

  /**
   * fallocate(FALLOC_FL_PUNCH_HOLE): [offset, offset + length) reads as zeros afterwards. Whole pages are unmapped in
   * every address space (private copies stay), after their mirrors were told, and dropped; parts of pages are zeroed.
   * The size stays. Throws as {@link truncate}.
   */
  punchHole(offset: number, length: number): void {
    const op = "file.punchHole";
    const ctx = this.check(op);
    checkInteger(op, "length", length, 1, ADDRESS_LIMIT - 1);
    checkSpan(op, offset, length);
    ctx.demandNoInvalidation(op);
    ctx.finish(op, ctx.run(ctx.core.filePunchHole(this.id, offset, length)));
  }

  /** Lets go of it: it is gone when nothing maps it any more. Twice: nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ctx.files.delete(this.id);
    this.#ctx.finish("file.close", this.#ctx.core.fileClose(this.id));
  }

  [dispose](): void {
    this.close();
  }

  /** @internal The context, unless closed. */
  check(op: string): Context {
    if (this.#closed) throw new TypeError(`${op}: the file is closed`);
    return this.#ctx;
  }
}

/** Refuses spans that do not lie below 2^48. */
function checkSpan(op: string, offset: number, length: number): void {
  checkInteger(op, "offset", offset, 0, ADDRESS_LIMIT - 1);
  if (offset + length >= ADDRESS_LIMIT) throw badRange(op, "length", "such that it ends below 2^48", length);
}

/** @internal hmm.createFile. */
export function createFile(ctx: Context, options: FileOptions): HmmFile {
  const op = "hmm.createFile";
  checkOptions(op, "options", options);
  const { bytes = 0, kind = "disk" } = options;
  checkInteger(op, "options.bytes", bytes, 0, ADDRESS_LIMIT - 1);
  const known = KINDS.find(([name]) => name === kind);
  if (known === undefined) throw badRange(op, "options.kind", '"disk" or "shmem"', kind);
  return new HmmFile(ctx, ctx.finish(op, ctx.core.fileCreate(known[1], bytes)));
}

/** @internal What mmap maps: the number of a file of this engine, 0 for none. */
export function checkFile(ctx: Context, op: string, file: unknown): number {
  if (file === undefined || file === null) return 0;
  if (!(file instanceof HmmFile)) throw badType(op, "file", "a HmmFile", file);
  if (file.check(op) !== ctx) throw new TypeError(`${op}: file belongs to another Hmm`);
  return file.id;
}
