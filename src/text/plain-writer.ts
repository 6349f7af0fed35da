/**
 * Writes the accesses of a trace in the formats of other tools. None of them has all that a record has; the
 * writer counts what is lost.
 */

/** What a format can say of an access, besides its address and whether it is a load or a store. */
interface Capabilities {
  size: boolean;
  /** The address of the instruction. */
  code: boolean;
  /** Loads and stores that are one access; without it, each is written as a load and a store. */
  modify: boolean;
  /** Instruction fetches; without it, they are left out. */
  fetch: boolean;
}

interface PlainFormat extends Capabilities {
  /** What the format is called in sentences. */
  title: string;
  /** Ends of names of files that have this format. */
  extensions: readonly string[];
}

/** The formats that can be written, besides .hmt. */
export const PLAIN_FORMATS = {
  // Lines of instructions would claim to be all that ran.
  lackey: {
    title: "lackey without instructions",
    extensions: [".lackey"],
    size: true,
    code: false,
    modify: true,
    fetch: false,
  },
  "addr-rw": {
    title: "ADDRESS R|W",
    extensions: [".trace", ".txt"],
    size: false,
    code: false,
    modify: false,
    fetch: false,
  },
  pinatrace: {
    title: "pinatrace",
    extensions: [".out"],
    size: false,
    code: true,
    modify: false,
    fetch: false,
  },
  dinero: { title: "Dinero", extensions: [".din"], size: false, code: false, modify: false, fetch: true },
  champsim: {
    title: "ChampSim",
    extensions: [".champsim", ".champsimtrace"],
    size: false,
    code: true,
    modify: false,
    fetch: false,
  },
} satisfies Record<string, PlainFormat>;

export type PlainFormatName = keyof typeof PLAIN_FORMATS;

const LOAD = 0;
const STORE = 1;
const MODIFY = 2;
const FETCH = 3;
/** A bit of kinds that says that the access is atomic, and one that it is a part of a range. */
const FLAGS = 12;
const EVENT = 16;
const CHAMPSIM_BYTES = 64;
/** Bytes of text or of instructions that are handed on at a time, and more than one access takes. */
const BUFFER = 1 << 18;
const ACCESS_MAX = 128;

const code = (char: string): number => char.charCodeAt(0);
const DIGITS = Uint8Array.from("0123456789abcdef", code);
const [SPACE, COMMA, COLON, NEWLINE, ZERO, X] = Array.from(" ,:\n0x", code);
const [LETTER_R, LETTER_W] = Array.from("RW", code);
const LACKEY_LETTERS = Uint8Array.from("LSM", code);

/** Collects bytes and hands them on when there are many. */
class Bytes {
  readonly #sink: (bytes: Uint8Array) => void;
  #bytes = new Uint8Array(BUFFER);
  #view = new DataView(this.#bytes.buffer);
  #used = 0;

  constructor(sink: (bytes: Uint8Array) => void) {
    this.#sink = sink;
  }

  /** Makes room for one more access. */
  begin(): void {
    if (this.#used > BUFFER - ACCESS_MAX) this.flush();
  }

  flush(): void {
    if (this.#used > 0) this.#sink(this.#bytes.subarray(0, this.#used));
    this.#used = 0;
  }

  put(byte: number): void {
    this.#bytes[this.#used++] = byte;
  }

  /** A number of 48 bits in hexadecimal, with at least `least` digits. */
  hex(low: number, high: number, least: number): void {
    const all = high !== 0 ? 16 - (Math.clz32(high) >> 2) : 8 - (Math.clz32(low) >> 2);
    for (let digit = Math.max(all, least) - 1; digit >= 8; digit--)
      this.put(DIGITS[(high >>> (4 * (digit - 8))) & 15]);
    for (let digit = Math.min(Math.max(all, least), 8) - 1; digit >= 0; digit--)
      this.put(DIGITS[(low >>> (4 * digit)) & 15]);
  }

  decimal(value: number): void {
    if (value >= 10) this.decimal(Math.floor(value / 10));
    this.put(DIGITS[value % 10]);
  }

  /** An instruction of ChampSim's with one access; a modify reads and writes. */
  instruction(kind: number, low: number, high: number, pc: number): void {
    const at = this.#used;
    this.#bytes.fill(0, at, at + CHAMPSIM_BYTES);
    this.#view.setUint32(at, pc, true);
    for (const [slot, is] of [
      [16, kind !== LOAD],
      [32, kind !== STORE],
    ] as const) {
      if (!is) continue;
      this.#view.setUint32(at + slot, low, true);
      this.#view.setUint32(at + slot + 4, high, true);
    }
    this.#used += CHAMPSIM_BYTES;
  }
}

/** What the accesses had that the format has not. */
interface Lost {
  devices: number;
  sizes: number;
  codes: number;
  modifies: number;
  fetches: number;
  flags: number;
  events: number;
}

/** Writes one trace in a format of PLAIN_FORMATS. `sink` must not keep the bytes that it gets. */
export class PlainWriter {
  readonly #name: PlainFormatName;
  readonly #can: Capabilities;
  readonly #out: Bytes;
  readonly #threads = new Uint8Array(1 << 16);
  readonly #lost: Lost = {
    devices: 0,
    sizes: 0,
    codes: 0,
    modifies: 0,
    fetches: 0,
    flags: 0,
    events: 0,
  };
  #threadCount = 0;

  constructor(name: PlainFormatName, sink: (bytes: Uint8Array) => void) {
    this.#name = name;
    this.#can = PLAIN_FORMATS[name];
    this.#out = new Bytes(sink);
  }

  /** Writes records of two words each. Marks among them are left out. */
  write(records: BigUint64Array): void {
    const halves = new Uint32Array(records.buffer, records.byteOffset, 2 * records.length);
    for (let i = 0; i < halves.length; i += 4) {
      const about = halves[i + 2];
      const kind = about & 255;
      if (kind >= EVENT) {
        this.#lost.events++;
        continue;
      }
      const thread = about >>> 16;
      this.#threadCount += 1 - this.#threads[thread];
      this.#threads[thread] = 1;
      if ((about & 0xff00) !== 0) this.#lost.devices++;
      const high = halves[i + 1];
      this.#access(kind, halves[i], high & 0xffff, high >>> 16, halves[i + 3]);
    }
  }

  /** Hands on what is left. */
  end(): void {
    this.#out.flush();
  }

  /** What was lost, as sentences without a full stop; `show` writes their numbers. */
  losses(show: (count: number) => string = String): string[] {
    const { title } = PLAIN_FORMATS[this.#name];
    const { devices, sizes, codes, modifies, fetches, flags, events } = this.#lost;
    const threads = this.#threadCount;
    const sentences: [count: number, what: string, then: string][] = [
      [devices, "agents", `${show(devices)} accesses of devices are written like the CPU's`],
      [Math.max(threads - 1, 0), "threads", `those of ${show(threads)} threads are not told apart`],
      [sizes, "sizes", `${show(sizes)} accesses of more than one byte are written without theirs`],
      [codes, "code addresses", `${show(codes)} accesses are written without theirs`],
      [modifies, "modifies", `${show(modifies)} are written as a load and a store each`],
      [fetches, "instruction fetches", `${show(fetches)} are left out`],
      [flags, "atomic and range accesses", `${show(flags)} are written as any others`],
      [events, "marks", `${show(events)} (kernels, ranges, advice, threads) are left out`],
    ];
    return sentences
      .filter(([count]) => count > 0)
      .map(([, what, then]) => `${title} has no ${what}: ${then}`);
  }

  #access(fullKind: number, low: number, high: number, size: number, pc: number): void {
    const [lost, can] = [this.#lost, this.#can];
    const kind = fullKind & 3;
    if ((fullKind & FLAGS) !== 0) lost.flags++;
    if (kind === FETCH && !can.fetch) {
      lost.fetches++;
      return;
    }
    if (size !== 1 && !can.size) lost.sizes++;
    if (pc !== 0 && !can.code) lost.codes++;
    const both = kind === MODIFY && !can.modify;
    if (both) lost.modifies++;
    this.#out.begin();
    if (this.#name === "champsim") return this.#out.instruction(kind, low, high, pc);
    if (both) this.#line(LOAD, low, high, size, pc);
    this.#line(both ? STORE : kind, low, high, size, pc);
  }

  #line(kind: number, low: number, high: number, size: number, pc: number): void {
    const out = this.#out;
    const letter = kind === STORE ? LETTER_W : LETTER_R;
    switch (this.#name) {
      case "lackey":
        out.put(SPACE);
        out.put(LACKEY_LETTERS[kind]);
        out.put(SPACE);
        out.hex(low, high, 8);
        out.put(COMMA);
        out.decimal(size);
        break;
      case "dinero":
        out.put(DIGITS[kind === FETCH ? 2 : kind]);
        out.put(SPACE);
        out.hex(low, high, 1);
        break;
      case "pinatrace":
        this.#marked(pc, 0);
        out.put(COLON);
        out.put(SPACE);
        out.put(letter);
        out.put(SPACE);
        this.#marked(low, high);
        break;
      default:
        this.#marked(low, high);
        out.put(SPACE);
        out.put(letter);
    }
    out.put(NEWLINE);
  }

  /** A hexadecimal number with 0x. */
  #marked(low: number, high: number): void {
    this.#out.put(ZERO);
    this.#out.put(X);
    this.#out.hex(low, high, 1);
  }
}
