/** Random records, and .hmt files of them, for tests. */
import type { Random } from "../../src/engine/random.ts";
import { block, hmtFile } from "./hmt-bytes.ts";
import type { PlainRecord } from "../text/reference.ts";

/** Random accesses as an .hmt file makes them: many threads, agents, sizes, code addresses. */
export function someRecords(random: Random, count: number): PlainRecord[] {
  return Array.from({ length: count }, () => ({
    address: 65536 + random.below(2 ** 31) * 2 ** random.below(15),
    size: [1, 8, 64, 4095][random.below(4)],
    kind: random.below(16),
    agent: random.below(3),
    thread: random.below(random.below(2) === 0 ? 2 : 65536),
    id: random.below(2 ** 32),
  }));
}

/** The payload of a block of several threads with these accesses, each a site of its own. */
function mixedBlock(records: readonly PlainRecord[]): Uint8Array {
  const n = records.length;
  const bytes: number[] = [];
  const put = (value: number, count: number): void => {
    for (let i = 0; i < count; i++) bytes.push(Math.floor(value / 256 ** i) % 256);
  };
  for (const value of [n, 0, n, n, n, 6 * n]) put(value, 4);
  for (const { size, kind, agent, id } of records) {
    put(size, 2);
    put(kind + 256 * agent, 2);
    put(id, 4);
  }
  records.forEach(() => put(64 | 6, 1));
  records.forEach(() => put(0, 1));
  records.forEach((_, i) => put(i, n > 256 ? 2 : 1));
  records.forEach(({ address }) => put(address, 6));
  const column: number[] = [];
  let before = 0;
  for (const { thread } of records) {
    const step = ((thread - before + 65536 + 32768) % 65536) - 32768;
    const coded = step >= 0 ? 2 * step : -2 * step - 1;
    column.push(1, (coded & 127) | 128, ((coded >> 7) & 127) | 128, coded >> 14);
    before = thread;
  }
  return Uint8Array.from([...bytes, ...column, column.length & 255, column.length >> 8, 0, 0]);
}

/** A file with these accesses in one block. */
export function mixedFile(records: readonly PlainRecord[]): Uint8Array {
  const options = { records: records.length };
  return hmtFile(block(4, mixedBlock(records), options), block(3, new Uint8Array(32)));
}
