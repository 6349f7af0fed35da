/** Bytes of text or of instructions, which are handed on when there are many. */

/** Bytes that are handed on at a time, and more than one line takes. */
const BUFFER = 1 << 18;
const LINE_MAX = 1024;
const DIGITS = Uint8Array.from("0123456789abcdef", (char) => char.charCodeAt(0));
const HIGH = 2 ** 32;

/** Collects the bytes of lines. `sink` must not keep the bytes that it gets. */
export class PlainBytes {
  readonly #sink: (bytes: Uint8Array) => void;
  readonly #bytes = new Uint8Array(BUFFER);
  readonly #view = new DataView(this.#bytes.buffer);
  #used = 0;

  constructor(sink: (bytes: Uint8Array) => void) {
    this.#sink = sink;
  }

  /** Makes room for one more line, of at most 1,024 bytes. */
  begin(): void {
    if (this.#used > BUFFER - LINE_MAX) this.flush();
  }

  /** Hands on what is there. */
  flush(): void {
    if (this.#used > 0) this.#sink(this.#bytes.subarray(0, this.#used));
    this.#used = 0;
  }

  /** ASCII characters. */
  text(text: string): void {
    for (let i = 0; i < text.length; i++) this.#bytes[this.#used++] = text.charCodeAt(i);
  }

  /** A number of 48 bits in hexadecimal, with at least `least` digits. */
  hex(low: number, high: number, least = 1): void {
    const all = high !== 0 ? 16 - (Math.clz32(high) >> 2) : 8 - (Math.clz32(low) >> 2);
    for (let digit = Math.max(all, least) - 1; digit >= 8; digit--)
      this.#bytes[this.#used++] = DIGITS[(high >>> (4 * (digit - 8))) & 15];
    for (let digit = Math.min(Math.max(all, least), 8) - 1; digit >= 0; digit--)
      this.#bytes[this.#used++] = DIGITS[(low >>> (4 * digit)) & 15];
  }

  /** A number in decimal, with at least `least` digits. */
  decimal(value: number, least = 1): void {
    if (value >= 10 || least > 1) this.decimal(Math.floor(value / 10), least - 1);
    this.#bytes[this.#used++] = DIGITS[value % 10];
  }

  /** `count` bytes that are 0, and then numbers of 8 bytes at offsets among them. */
  binary(count: number, numbers: readonly (readonly [offset: number, value: number])[]): void {
    const at = this.#used;
    this.#bytes.fill(0, at, at + count);
    for (const [offset, value] of numbers) {
      this.#view.setUint32(at + offset, value % HIGH, true);
      this.#view.setUint32(at + offset + 4, value / HIGH, true);
    }
    this.#used += count;
  }
}
