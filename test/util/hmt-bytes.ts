/** Makes .hmt files (docs/hmt.md) from payloads, for tests. */
import type { Random } from "../fuzz/random.ts";
import { xxh32 } from "./hmt.ts";

export interface BlockOptions {
  thread?: number;
  records?: number;
  codec?: number;
  /** Size of the uncompressed payload, if the payload is compressed. */
  plain?: number;
}

/** Makes a block with a valid header. */
export function block(type: number, payload: Uint8Array, options: BlockOptions = {}): Uint8Array {
  const { thread = 0, records = 0, codec = 0, plain = payload.length } = options;
  const bytes = new Uint8Array(24 + payload.length);
  const view = new DataView(bytes.buffer);
  bytes.set(payload, 24);
  bytes.set([type, codec, thread & 255, thread >> 8], 8);
  view.setUint32(0, 0x42544d48, true);
  view.setUint32(12, payload.length, true);
  view.setUint32(16, plain, true);
  view.setUint32(20, records, true);
  view.setUint32(4, xxh32(bytes.subarray(8)), true);
  return bytes;
}

/** Makes a file of these blocks. */
export function hmtFile(...blocks: Uint8Array[]): Uint8Array {
  return Buffer.concat([
    Uint8Array.of(0x89, 0x48, 0x4d, 0x54, 0x0d, 0x0a, 0x1a, 0x0a, 1, 0, 0, 0, 0, 0, 0, 0),
    ...blocks,
  ]);
}

/** One definition of each tag, and one of a tag that is not known. */
export function definitions(): Uint8Array {
  const one = (tag: number, head: number[], text: string): number[] => {
    const content = [...head, ...new TextEncoder().encode(text)];
    return [tag, 0, content.length, 0, ...content];
  };
  const eight = [0, 0, 0x40, 0, 0, 0, 0, 0];
  return Uint8Array.from([
    ...one(1, [], "./program 1 2"),
    ...one(2, [], "a test"),
    ...one(3, [0, 0, 0x40, 0, 0, 0x10, 0, 0, ...eight, ...eight], "/bin/program"),
    ...one(4, [1, 0, 0, 0], "sweep"),
    ...one(4, [2, 0, 0, 0], "größe"),
    ...one(5, [0, 0, 255, 255], ""),
    ...one(99, [1, 2, 3], "later"),
  ]);
}

/** Collects numbers of several bytes, little-endian. */
class Bytes {
  readonly all: number[] = [];
  put(value: number, bytes: number): this {
    for (let i = 0; i < bytes; i++) this.all.push(Math.floor(value / 256 ** i) & 255);
    return this;
  }
}

function randomEvents(random: Random, count: number): Bytes {
  const bytes = new Bytes();
  for (let i = 0; i < count; i++)
    bytes
      .put(random.between(16, 23), 1)
      .put(random.below(7), 1)
      .put(random.pick([0, 3, 0xffff]), 2)
      .put(random.below(4), 4)
      .put(random.below(2 ** 40), 8)
      .put(random.below(2 ** 30), 8);
  return bytes;
}

/**
 * A payload of a records block that is right, with random sites, tokens and events, and the number of records
 * that it may have in its header.
 */
export function randomPayload(random: Random): { bytes: Uint8Array; records: number } {
  const siteCount = random.chance(0.1) ? random.between(257, 300) : random.between(1, 6);
  const sites = new Bytes();
  for (let i = 0; i < siteCount; i++)
    sites
      .put(random.pick([1, 2, 4, 8, 12, 16, 4096, 65535]), 2)
      .put(random.below(16), 1)
      .put(random.below(3), 1)
      .put(random.bits(), 4);
  const [forms, runs, named, literals] = [new Bytes(), new Bytes(), new Bytes(), new Bytes()];
  let eventCount = 0;
  let records = 0;
  let refs = 0;
  for (let n = random.below(30); n > 0; n--) {
    const run = random.chance(0.5) ? 0 : random.below(random.pick([3, 300]));
    if (run < 128) runs.put(run, 1);
    else runs.put((run & 127) | 128, 1).put(run >> 7, 1);
    records += run + 1;
    if (random.chance(0.1)) {
      forms.put(7, 1);
      eventCount++;
      continue;
    }
    const name = random.chance(0.4) ? 64 : 0;
    if (name) {
      named.put(random.below(siteCount), siteCount > 256 ? 2 : 1);
      refs++;
    }
    if (name && random.chance(0.3)) {
      forms.put(128 | 64, 1);
      continue;
    }
    const length = random.below(7);
    forms.put(name | length | (random.below(8) * 8), 1);
    for (let i = 0; i < length; i++) literals.put(random.pick([0, 255, random.below(256)]), 1);
  }
  const head = new Bytes();
  for (const n of [siteCount, eventCount, forms.all.length, runs.all.length, refs, literals.all.length])
    head.put(n, 4);
  const events = randomEvents(random, eventCount);
  const columns = [head, sites, events, forms, runs, named, literals];
  return {
    bytes: Uint8Array.from(columns.flatMap(({ all }) => all)),
    records: records + random.below(20),
  };
}

/** A zstd frame of raw blocks (RFC 8878): a zstd encoder that compresses nothing. */
export function zstdFrame(content: Uint8Array): Uint8Array {
  // A single segment, with a size of 4 bytes.
  const bytes = new Bytes().put(0xfd2fb528, 4).put(0xa0, 1).put(content.length, 4);
  bytes.put((content.length << 3) | 1, 3); // the last block, raw
  return Uint8Array.from([...bytes.all, ...content]);
}

export interface PlainAccess {
  address: number;
  size: number;
  kind: number;
  agent: number;
}

/**
 * The payload of a block with these accesses: each names its site, and its address is a literal of 6 bytes.
 */
export function payloadOf(accesses: readonly PlainAccess[]): Uint8Array {
  const ids = new Map<string, number>();
  const [sites, named, literals] = [new Bytes(), new Bytes(), new Bytes()];
  const last: number[] = [];
  const refs = accesses.map(({ size, kind, agent }) => {
    const key = `${size} ${kind} ${agent}`;
    if (!ids.has(key)) {
      ids.set(key, ids.size);
      sites.put(size, 2).put(kind, 1).put(agent, 1).put(0, 4);
    }
    return ids.get(key)!;
  });
  accesses.forEach(({ address }, i) => {
    named.put(refs[i], ids.size > 256 ? 2 : 1);
    literals.put((address - (last[refs[i]] ?? 0) + 2 ** 48) % 2 ** 48, 6);
    last[refs[i]] = address;
  });
  const n = accesses.length;
  const head = new Bytes();
  for (const count of [ids.size, 0, n, n, n, 6 * n]) head.put(count, 4);
  const forms = Array<number>(n).fill(64 | 6);
  const runs = Array<number>(n).fill(0);
  return Uint8Array.from([...head.all, ...sites.all, ...forms, ...runs, ...named.all, ...literals.all]);
}
