/** Reading records by their 32-bit words, and what RecordArray.count() says of them. */
import { RECORD_AGENT_SHIFT, RECORD_KIND_MASK } from "../../assembly/abi/record.ts";

/** 32-bit words of a record. */
export const WORDS = 4;

/** The index at which RecordArray.count() counts a record, by the word with its kind and agent. */
export function kindOf(how: number): number {
  return (how & RECORD_KIND_MASK) | ((how & (0xff << RECORD_AGENT_SHIFT)) === 0 ? 0 : 4);
}

/** The address of a record's access. */
export function addressOf(words: Uint32Array, record: number): number {
  return (words[WORDS * record + 1] & 0xffff) * 2 ** 32 + words[WORDS * record];
}

/** The sum of RecordArray.count(). */
export function total(counts: Uint32Array): number {
  return counts.reduce((sum, count) => sum + count, 0);
}
