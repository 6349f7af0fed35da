/**
 * A small encoder of protocol buffers: fields by their numbers, into a buffer that grows.
 * (https://protobuf.dev/programming-guides/encoding)
 */

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const UTF8 = new TextEncoder();

export class ProtoWriter {
  #bytes = new Uint8Array(64);
  #length = 0;

  /** Bytes that were written since the last take(). */
  get length(): number {
    return this.#length;
  }

  /** Returns what was written, as a copy, and begins anew. */
  take(): Uint8Array {
    const bytes = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return bytes;
  }

  /** Writes a whole number from 0 to 2^53. */
  uint(field: number, value: number): void {
    this.#varint(field * 8 + VARINT);
    this.#varint(value);
  }

  /** Writes a whole number from 0 to 2^53 as eight bytes. */
  fixed64(field: number, value: number): void {
    this.#varint(field * 8 + FIXED64);
    for (let i = 0; i < 8; i++) this.#byte(Math.floor(value / 2 ** (8 * i)) % 256);
  }

  text(field: number, value: string): void {
    this.bytes(field, UTF8.encode(value));
  }

  bytes(field: number, value: Uint8Array): void {
    this.#varint(field * 8 + LENGTH);
    this.#varint(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** Writes a message: what `fill` writes to the writer that it is given. */
  message(field: number, fill: (inner: ProtoWriter) => void): void {
    const inner = new ProtoWriter();
    fill(inner);
    this.bytes(field, inner.#bytes.subarray(0, inner.#length));
  }

  #varint(value: number): void {
    while (value >= 128) {
      this.#byte((value % 128) + 128);
      value = Math.floor(value / 128);
    }
    this.#byte(value);
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + more));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
