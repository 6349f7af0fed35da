/**
 * Writes the accesses of a trace in the formats of other tools. None of them has all that a record has; the
 * writer counts what is lost.
 */
import {
  RECORD_KIND_FETCH,
  RECORD_KIND_LOAD,
  RECORD_KIND_MODIFY,
  RECORD_KIND_STORE,
  RECORD_MARK,
  RECORD_MARK_KERNEL_BEGIN,
  RECORD_MARK_KERNEL_END,
  RECORD_RUN,
} from "../../assembly/abi/record.ts";
import type { EventOf } from "./hmt-writer.ts";
import type { AccessLines, PlainAccess } from "./plain-access.ts";
import { PlainBytes } from "./plain-bytes.ts";
import { PLAIN_FORMATS, type PlainFormat, type PlainFormatName } from "./plain-formats.ts";
import { LINES } from "./plain-lines.ts";

/** A bit of kinds that says that the access is atomic, and one that it is a part of a range. */
const FLAGS = 12;

/** What the accesses had that the format has not. */
interface Lost {
  agents: number;
  sizes: number;
  codes: number;
  modifies: number;
  runs: number;
  fetches: number;
  zeros: number;
  flags: number;
  marks: number;
  names: number;
}

/** Writes one trace in a format of PLAIN_FORMATS. `sink` must not keep the bytes that it gets. */
export class PlainWriter {
  readonly #can: PlainFormat;
  readonly #out: PlainBytes;
  readonly #lines: AccessLines;
  readonly #access: PlainAccess = { kind: 0, low: 0, high: 0, size: 0, code: 0, thread: 0 };
  readonly #threads = new Uint8Array(1 << 16);
  readonly #lost: Lost = {
    agents: 0,
    sizes: 0,
    codes: 0,
    modifies: 0,
    runs: 0,
    fetches: 0,
    zeros: 0,
    flags: 0,
    marks: 0,
    names: 0,
  };
  #threadCount = 0;

  constructor(name: PlainFormatName, sink: (bytes: Uint8Array) => void) {
    this.#can = PLAIN_FORMATS[name];
    this.#out = new PlainBytes(sink);
    this.#lines = LINES[name](this.#out);
  }

  /**
   * Writes records of two words each. Marks among them, which `eventOf` explains, are left out, but for the
   * bounds of kernels.
   */
  write(records: BigUint64Array, eventOf: EventOf): void {
    const halves = new Uint32Array(records.buffer, records.byteOffset, 2 * records.length);
    const access = this.#access;
    for (let i = 0; i < halves.length; i += 4) {
      const about = halves[i + 2];
      const kind = about & 255;
      if (kind >= RECORD_MARK) {
        this.#mark(kind, () => eventOf(kind, halves[i + 3]).name);
        continue;
      }
      const high = halves[i + 1];
      access.low = halves[i];
      access.high = high & 0xffff;
      access.size = high >>> 16;
      access.thread = about >>> 16;
      access.code = halves[i + 3];
      this.#one(kind, (about >>> 8) & 0xff);
    }
  }

  /** Hands on what is left. */
  end(): void {
    this.#lines.end?.();
    this.#out.flush();
  }

  /** What was lost, as sentences without a full stop; `show` writes their numbers. */
  losses(show: (count: number) => string = String): string[] {
    const { title, agent, sizes: some } = this.#can;
    const { agents, sizes, codes, modifies, runs, fetches, zeros, flags, marks, names } = this.#lost;
    const threads = this.#can.threads ? 0 : this.#threadCount;
    const [noAgents, likeWhose] =
      agent === "cpu"
        ? ["agents", `${show(agents)} accesses of devices are written like the CPU's`]
        : ["agent but one device", `${show(agents)} accesses of others are written like its own`];
    const [noSizes, whichSize] =
      some === "none"
        ? ["sizes", `${show(sizes)} accesses of more than one byte are written without theirs`]
        : [`sizes but ${String(some)}`, `${show(sizes)} accesses are written with the next smaller one`];
    const sentences: [count: number, what: string, then: string][] = [
      [agents, noAgents, likeWhose],
      [Math.max(threads - 1, 0), "threads", `those of ${show(threads)} threads are not told apart`],
      [sizes, noSizes, whichSize],
      [codes, "code addresses", `${show(codes)} accesses are written without theirs`],
      [modifies, "modifies", `${show(modifies)} are written as a load and a store each`],
      [runs, "counts of instructions", `those of ${show(runs)} instructions are left out`],
      [fetches, "instruction fetches", `${show(fetches)} are left out`],
      [zeros, "accesses to address 0", `${show(zeros)} are left out`],
      [flags, "atomic and range accesses", `${show(flags)} are written as any others`],
      [names, "names of kernels", `${show(names)} kernels are written without theirs`],
      [marks, "marks", `${show(marks)} (kernels, ranges, advice, threads) are left out`],
    ];
    return sentences
      .filter(([count]) => count > 0)
      .map(([, what, then]) => `${title} has no ${what}: ${then}`);
  }

  #mark(kind: number, name: () => string): void {
    const isKernel = kind === RECORD_MARK_KERNEL_BEGIN || kind === RECORD_MARK_KERNEL_END;
    if (!isKernel || !this.#can.kernels) this.#lost.marks++;
    else {
      if (kind === RECORD_MARK_KERNEL_BEGIN && name() !== "") this.#lost.names++;
      this.#lines.kernel?.();
    }
  }

  /** Writes the access in #access, and counts what of it is lost. */
  #one(fullKind: number, agent: number): void {
    const [lost, can, access] = [this.#lost, this.#can, this.#access];
    if (fullKind === RECORD_RUN) {
      lost.runs += access.size;
      return;
    }
    const kind = fullKind & 3;
    this.#threadCount += 1 - this.#threads[access.thread];
    this.#threads[access.thread] = 1;
    if (agent !== (can.agent === "cpu" ? 0 : 1)) lost.agents++;
    if ((fullKind & FLAGS) !== 0) lost.flags++;
    if (kind === RECORD_KIND_FETCH && !can.fetch) {
      lost.fetches++;
      return;
    }
    if (access.low === 0 && access.high === 0 && !can.zero) {
      lost.zeros++;
      return;
    }
    const { size } = access;
    access.size = sizeIn(can.sizes, size);
    if (access.size !== size) lost.sizes++;
    if (access.code !== 0 && !can.code) lost.codes++;
    if (kind === RECORD_KIND_MODIFY && can.modify !== "kept") lost.modifies++;
    if (kind !== RECORD_KIND_MODIFY || can.modify !== "split") return this.#line(kind);
    this.#line(RECORD_KIND_LOAD);
    this.#line(RECORD_KIND_STORE);
  }

  #line(kind: number): void {
    this.#out.begin();
    this.#access.kind = kind;
    this.#lines.access(this.#access);
  }
}

/** The size that is written for one: a reader takes an access without a size for one byte. */
function sizeIn(sizes: PlainFormat["sizes"], size: number): number {
  if (sizes === "any") return size;
  if (sizes === "none") return 1;
  return sizes.reduce((found, one) => (one <= size ? one : found));
}
