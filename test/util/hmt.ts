/**
 * A simple reader of .hmt traces (docs/hmt.md), for tests: it follows the document step by step, checks all that can be
 * checked, and keeps the whole trace in memory.
 */
import { decompress } from "fzstd";

export const KIND = { LOAD: 0, STORE: 1, MODIFY: 2, FETCH: 3, ATOMIC: 4, BULK: 8 } as const;
export const EVENT = {
  DEVICE_BEGIN: 16,
  DEVICE_END: 17,
  RANGE: 18,
  RANGE_END: 19,
  ADVISE: 20,
  PREFETCH: 21,
  THREAD_START: 22,
  THREAD_END: 23,
} as const;
export const NO_DEVICE = 0xffff;
export const NO_THREAD = 0xffff;

const MAGIC = Uint8Array.of(0x89, 0x48, 0x4d, 0x54, 0x0d, 0x0a, 0x1a, 0x0a);
const FILE_HEADER = 16;
const BLOCK_HEADER = 24;
const MARK = 0x42544d48;
const BYTES_MAX = 2 ** 21;
const RECORDS_MAX = 65536;
const TOP = 2 ** 48;

const FORM = { LENGTH: 7, PREVIOUS: 8, SET: 16, SCALED: 32, NAMED: 64, PREDICTED: 128 } as const;
const FORM_EVENT = 7;

export interface HmtRecord {
  address: number;
  size: number;
  kind: number;
  agent: number;
  thread: number;
  /** The code address; of an event, its place in the block's events. */
  code: number;
}

export interface HmtEvent {
  kind: number;
  advice: number;
  device: number;
  name: number;
  address: number;
  bytes: number;
}

export interface HmtBlock {
  offset: number;
  thread: number;
  codec: number;
  stored: number;
  records: HmtRecord[];
  events: HmtEvent[];
}

export interface HmtModule {
  code: number;
  bytes: number;
  address: number;
  link: number;
  path: string;
}

export interface Hmt {
  program: string;
  recorder: string;
  modules: HmtModule[];
  names: Map<number, string>;
  threads: Map<number, number>;
  blocks: HmtBlock[];
  /** Null in a trace that was cut off. */
  end: { records: number; events: number; lost: number; threads: number; signal: number } | null;
  /** Where the last block begins that is not whole; null if all are. */
  cut: number | null;
}

/** What is wrong with a trace, and at which byte of it. */
export class HmtError extends Error {
  readonly offset: number;
  constructor(offset: number, message: string) {
    super(`byte ${offset}: ${message}`);
    this.offset = offset;
  }
}

const rotate = (x: number, n: number): number => (x << n) | (x >>> (32 - n));

/** XXH32 with seed 0. */
export function xxh32(bytes: Uint8Array): number {
  const [p1, p2, p3, p4, p5] = [2654435761, 2246822519, 3266489917, 668265263, 374761393];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const lanes = [p1 + p2, p2, 0, -p1];
  let at = 0;
  let h = p5;
  if (bytes.length >= 16) {
    for (; at + 16 <= bytes.length; at += 16)
      for (let i = 0; i < 4; i++) {
        const sum = (lanes[i] + Math.imul(view.getUint32(at + 4 * i, true), p2)) | 0;
        lanes[i] = Math.imul(rotate(sum, 13), p1);
      }
    h = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
  }
  h = (h + bytes.length) | 0;
  for (; at + 4 <= bytes.length; at += 4)
    h = Math.imul(rotate((h + Math.imul(view.getUint32(at, true), p3)) | 0, 17), p4);
  for (; at < bytes.length; at++) h = Math.imul(rotate((h + Math.imul(bytes[at], p5)) | 0, 11), p1);
  h = Math.imul(h ^ (h >>> 15), p2);
  h = Math.imul(h ^ (h >>> 13), p3);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Reads numbers and columns from a payload; what is wrong is at the payload's block. */
class Reader {
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

function readDefinitions(hmt: Hmt, reader: Reader): void {
  while (reader.left > 0) {
    const tag = reader.u16();
    const content = reader.column(reader.u16());
    if (tag === 1) hmt.program = content.text(content.left);
    else if (tag === 2) hmt.recorder = content.text(content.left);
    else if (tag === 3) {
      const [code, bytes, address, link] = [content.u32(), content.u32(), content.u64(), content.u64()];
      hmt.modules.push({ code, bytes, address, link, path: content.text(content.left) });
    } else if (tag === 4) hmt.names.set(content.u32(), content.text(content.left));
    else if (tag === 5) hmt.threads.set(content.u16(), content.u16());
  }
}

interface Site {
  size: number;
  kind: number;
  agent: number;
  code: number;
  next: number;
  last: number;
  delta: number;
  previous: boolean;
}

function readSites(payload: Reader, count: number): Site[] {
  return Array.from({ length: count }, (_, i) => {
    const [size, kind, agent, code] = [payload.u16(), payload.u8(), payload.u8(), payload.u32()];
    if (size === 0 || kind >= 16) payload.fail(`site ${i} has size ${size} and kind ${kind}`);
    return { size, kind, agent, code, next: (i + 1) % count, last: 0, delta: 0, previous: false };
  });
}

function readEvents(payload: Reader, count: number): HmtEvent[] {
  return Array.from({ length: count }, (_, i) => {
    const event = {
      kind: payload.u8(),
      advice: payload.u8(),
      device: payload.u16(),
      name: payload.u32(),
      address: payload.address(),
      bytes: payload.u64(),
    };
    if (event.kind < 16) payload.fail(`event ${i} has kind ${event.kind}`);
    return event;
  });
}

const wrap = (address: number): number => ((address % TOP) + TOP) % TOP;

function readRecords(payload: Reader, thread: number, count: number): Pick<HmtBlock, "records" | "events"> {
  const [siteCount, eventCount, tokens] = [payload.u32(), payload.u32(), payload.u32()];
  const [runBytes, refCount, literalBytes] = [payload.u32(), payload.u32(), payload.u32()];
  if (siteCount > RECORDS_MAX || eventCount > count)
    payload.fail("more sites or events than a block can have");
  const sites = readSites(payload, siteCount);
  const events = readEvents(payload, eventCount);
  const forms = payload.column(tokens);
  const runs = payload.column(runBytes);
  const refs = payload.column(refCount * (siteCount > 256 ? 2 : 1));
  const literals = payload.column(literalBytes);
  payload.end("payload");

  const records: HmtRecord[] = [];
  let seen = 0; // events
  let current: Site | null = null;
  let previous = 0;
  const expected = (): Site => sites[current?.next ?? 0];
  const access = (site: Site, address: number): void => {
    if (records.length === count) payload.fail(`more than the ${count} records that the block says`);
    const { size, kind, agent, code } = site;
    records.push({ address, size, kind, agent, thread, code });
    site.last = previous = address;
    current = site;
  };
  const predicted = (site: Site): number => wrap((site.previous ? previous : site.last) + site.delta);
  const hits = (n: number): void => {
    if (n > 0 && sites.length === 0) payload.fail("accesses without a site");
    for (let i = 0; i < n; i++) access(expected(), predicted(expected()));
  };

  while (forms.left > 0) {
    const form = forms.u8();
    hits(runs.varint());
    if (form === FORM_EVENT) {
      if (seen === eventCount) payload.fail("more events than the block has");
      if (records.length === count) payload.fail(`more than the ${count} records that the block says`);
      const { kind, device, address } = events[seen];
      records.push({ address, size: device, kind, agent: 0, thread, code: seen++ });
      continue;
    }
    let site: Site | undefined = expected();
    if (form & FORM.NAMED) {
      const index: number = siteCount > 256 ? refs.u16() : refs.u8();
      site = sites[index];
      if (site !== undefined && current !== null) (current as Site).next = index;
    }
    if (site === undefined) payload.fail("an access of a site that the block does not have");
    if (form & FORM.PREDICTED) {
      if (form !== (FORM.PREDICTED | FORM.NAMED)) payload.fail(`form ${form} is not defined`);
      access(site, predicted(site));
      continue;
    }
    const length = form & FORM.LENGTH;
    if (length === 7) payload.fail(`form ${form} is not defined`);
    const scale = form & FORM.SCALED ? site.size & -site.size : 1;
    const delta = wrap(literals.signed(length) * scale);
    const base = form & FORM.PREVIOUS ? previous : site.last;
    if (form & FORM.SET) {
      site.delta = delta;
      site.previous = (form & FORM.PREVIOUS) !== 0;
    }
    access(site, wrap(base + delta));
  }
  hits(count - records.length);
  runs.end("runs");
  refs.end("names of sites");
  literals.end("literals");
  if (seen !== eventCount) payload.fail("fewer events in the records than in the block");
  return { records, events };
}

function readBlock(hmt: Hmt, bytes: Uint8Array, at: number): number {
  const header = new Reader(bytes.subarray(at, at + BLOCK_HEADER), at);
  if (header.u32() !== MARK) header.fail("expected a block");
  const sum = header.u32();
  const [type, codec, thread] = [header.u8(), header.u8(), header.u16()];
  const [stored, plain, count] = [header.u32(), header.u32(), header.u32()];
  if (stored > BYTES_MAX || plain > BYTES_MAX || count > RECORDS_MAX) header.fail("the block is too large");
  const end = at + BLOCK_HEADER + stored;
  if (end > bytes.length) {
    hmt.cut = at;
    return bytes.length;
  }
  if (xxh32(bytes.subarray(at + 8, end)) !== sum) header.fail("the checksum is wrong");
  let payload = bytes.subarray(at + BLOCK_HEADER, end);
  if (codec === 1) payload = decompress(payload);
  else if (codec !== 0) header.fail(`codec ${codec} is not known`);
  if (payload.length !== plain) header.fail(`the payload has ${payload.length} bytes, not ${plain}`);
  const reader = new Reader(payload, at);
  if (type === 1) readDefinitions(hmt, reader);
  else if (type === 2)
    hmt.blocks.push({ offset: at, thread, codec, stored, ...readRecords(reader, thread, count) });
  else if (type === 3) {
    const [records, events, lost] = [reader.u64(), reader.u64(), reader.u64()];
    hmt.end = { records, events, lost, threads: reader.u32(), signal: reader.u32() };
  } else if (type < 128) header.fail(`block type ${type} is not known`);
  return end;
}

/** Reads a trace. Throws HmtError unless it is one, whole or cut off. */
export function readHmt(bytes: Uint8Array): Hmt {
  const hmt: Hmt = {
    program: "",
    recorder: "",
    modules: [],
    names: new Map(),
    threads: new Map(),
    blocks: [],
    end: null,
    cut: null,
  };
  if (bytes.length < FILE_HEADER || MAGIC.some((byte, i) => bytes[i] !== byte))
    throw new HmtError(0, "not an .hmt trace");
  const version = new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true);
  if (version !== 1) throw new HmtError(0, `version ${version} is not known`);
  let at = FILE_HEADER;
  while (at < bytes.length) {
    if (hmt.end !== null) throw new HmtError(at, "bytes after the end block");
    if (bytes.length - at < BLOCK_HEADER) {
      hmt.cut = at;
      break;
    }
    at = readBlock(hmt, bytes, at);
  }
  return hmt;
}

/** All records in the order of the trace, events left out. */
export function accesses(hmt: Hmt): HmtRecord[] {
  return hmt.blocks.flatMap(({ records }) => records.filter(({ kind }) => kind < 16));
}

/** All events in the order of the trace, with the text of their names and their threads. */
export function events(hmt: Hmt): (HmtEvent & { text: string; thread: number })[] {
  return hmt.blocks.flatMap(({ events, thread }) =>
    events.map((event) => ({ ...event, text: hmt.names.get(event.name) ?? "", thread })),
  );
}
