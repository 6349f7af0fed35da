/** A file that a command writes: a path, or "-" for standard output. */
import { closeSync, fstatSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { fileError, UserError } from "./errors.ts";

/** How long to wait for a full pipe, in ms. */
const WAIT = 2;

/**
 * Writes in place, so that a fast source never waits in memory for a slow file. `discard` removes the file
 * again if `open` has made it.
 */
export class OutputFile {
  /** What messages call the file: its path, but for standard output. */
  readonly name: string;
  readonly #path: string | null;
  readonly #fd: number;
  #bytes = 0;
  #closed = false;

  private constructor(name: string, path: string | null, fd: number) {
    this.name = name;
    this.#path = path;
    this.#fd = fd;
  }

  /** Opens a file. Throws UserError if that is not possible, or if it is `input`, which would be lost. */
  static open(path: string, input: string | null): OutputFile {
    if (path === "-") return new OutputFile("standard output", null, process.stdout.fd);
    if (input !== null && isSame(path, input))
      throw new UserError(`${path}: this is the input, which would be lost`);
    try {
      const fd = openSync(path, "w");
      return new OutputFile(path, fstatSync(fd).isFile() ? path : null, fd);
    } catch (error) {
      throw fileError(path, error);
    }
  }

  /** Bytes that were written. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Writes all of these bytes. Throws UserError if that fails; a pipe without a reader counts as written. */
  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      try {
        at += writeSync(this.#fd, bytes, at, bytes.length - at);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "EPIPE") break;
        if (code !== "EAGAIN") throw fileError(this.name, error);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT);
      }
    }
    this.#bytes += bytes.length;
  }

  /** Closes the file. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#fd !== process.stdout.fd) closeSync(this.#fd);
  }

  /** Closes and removes the file: what it has is of no use. A device or pipe stays. */
  discard(): void {
    this.close();
    if (this.#path !== null) rmSync(this.#path, { force: true });
  }
}

function isSame(a: string, b: string): boolean {
  try {
    const [first, second] = [statSync(a), statSync(b)];
    return first.isFile() && first.dev === second.dev && first.ino === second.ino;
  } catch {
    return false; // one of them does not exist
  }
}
