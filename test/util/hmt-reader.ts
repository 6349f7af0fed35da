/** Numbers, texts and columns of an .hmt block's payload. */

/** What is wrong with a trace, and at which byte of it. */
export class HmtError extends Error {
  readonly offset: number;
  constructor(offset: number, message: string) {
    super(`byte ${offset}: ${message}`);
    this.offset = offset;
  }
}

/** Reads numbers and columns from a payload; what is wrong is at the payload's block. */
export class Reader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #offset: number;
  at = 0;

  constructor(bytes: Uint8Array, offset: number) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#offset = offset;
  }
  get left(): number {
    return this.bytes.length - this.at;
  }
  fail(message: string): never {
    throw new HmtError(this.#offset, message);
  }
  #take(n: number): number {
    if (this.left < n) this.fail("the payload ends too early");
    this.at += n;
    return this.at - n;
  }
  u8(): number {
    return this.bytes[this.#take(1)];
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  u64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }
  /** An address: the low 48 bits of 8 bytes. */
  address(): number {
    return Number(BigInt.asUintN(48, this.#view.getBigUint64(this.#take(8), true)));
  }
  column(n: number): Reader {
    const at = this.#take(n);
    return new Reader(this.bytes.subarray(at, at + n), this.#offset);
  }
  text(n: number): string {
    return new TextDecoder().decode(this.column(n).bytes);
  }
  /** A number in groups of 7 bits, the lowest first; the top bit says that another byte follows. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 21; shift += 7) {
      const byte = this.u8();
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    return this.fail("a run is longer than three bytes");
  }
  /** `n` bytes, two's complement. */
  signed(n: number): number {
    let value = 0;
    for (let i = 0; i < n; i++) value += this.u8() * 256 ** i;
    return n > 0 && value >= 2 ** (8 * n - 1) ? value - 2 ** (8 * n) : value;
  }
  end(what: string): void {
    if (this.left !== 0) this.fail(`${what} left over: ${this.left} bytes`);
  }
}
