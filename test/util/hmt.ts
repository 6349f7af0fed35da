/**
 * A simple reader of .hmt traces (docs/hmt.md), for tests: it follows the document step by step, checks all
 * that can be checked, and keeps the whole trace in memory.
 */
import { decompress } from "fzstd";
import { HmtError, Reader } from "./hmt-reader.ts";
import { joinSplit } from "./hmt-split.ts";
import { RECORDS_MAX, readRecords, type HmtEvent, type HmtRecord } from "./hmt-records.ts";

export { HmtError } from "./hmt-reader.ts";
export type { HmtRecord } from "./hmt-records.ts";

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

/** A block of several threads: the payload of a block of one, then runs of records of one thread. */
function readMixed(payload: Uint8Array, at: number, count: number): ReturnType<typeof readRecords> {
  const whole = new Reader(payload, at);
  if (payload.length < 4) whole.fail("no length of the column of threads");
  const length = new Reader(payload.subarray(payload.length - 4), at).u32();
  const rest = payload.length - 4 - length;
  if (rest < 0) whole.fail("the column of threads is too long");
  const { records, events } = readRecords(new Reader(payload.subarray(0, rest), at), 0, count);
  const column = new Reader(payload.subarray(rest, rest + length), at);
  let next = 0;
  for (let thread = 0; column.left > 0;) {
    const [run, step] = [column.varint(), column.varint()];
    if (run === 0 || run > RECORDS_MAX || step > 65535 || next + run > count)
      column.fail("a run of threads is wrong");
    thread = (thread + (step % 2 === 0 ? step / 2 : -(step + 1) / 2) + 65536) % 65536;
    for (const end = next + run; next < end; next++) records[next].thread = thread;
  }
  if (next !== count) whole.fail("fewer threads than records");
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
  else if (codec === 2 && (type === 2 || type === 4)) payload = joinSplit(payload, plain, at);
  else if (codec !== 0) header.fail(`codec ${codec} is not known`);
  if (payload.length !== plain) header.fail(`the payload has ${payload.length} bytes, not ${plain}`);
  const reader = new Reader(payload, at);
  if (type === 1) readDefinitions(hmt, reader);
  else if (type === 2)
    hmt.blocks.push({ offset: at, thread, codec, stored, ...readRecords(reader, thread, count) });
  else if (type === 4)
    hmt.blocks.push({ offset: at, thread, codec, stored, ...readMixed(payload, at, count) });
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
  if (version !== 1 && version !== 2) throw new HmtError(0, `version ${version} is not known`);
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
