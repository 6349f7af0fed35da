/** Reading records by their 32-bit words, and what RecordArray.count() says of them. */
import {
  RECORD_AGENT_SHIFT,
  RECORD_KIND_MASK,
  RECORD_RUN,
  RECORD_SIZE_SHIFT,
  RECORD_THREAD_SHIFT,
} from "../../assembly/abi/record.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import type { Accesses } from "./counts.ts";
import type { RecordBlock } from "./source.ts";

/** 32-bit words of a record. */
export const WORDS = 4;

/** The index at which RecordArray.count() counts a record, by the word with its kind and agent. */
export function kindOf(how: number): number {
  return (how & RECORD_KIND_MASK) | (agentOf(how) === 0 ? 0 : 4);
}

/** The agent in a record's third word. */
export function agentOf(how: number): number {
  return (how >>> RECORD_AGENT_SHIFT) & 0xff;
}

/** Adds counts of loads, stores and modifies. */
export function addCounts(to: Accesses, counts: Uint32Array): void {
  to.loads += counts[0] + counts[2];
  to.stores += counts[1] + counts[2];
}

/** The instructions that a record of kind RECORD_KIND_FETCH stands for: one, or those of a run. */
export function instructionsOf(how: number, high: number): number {
  return (how & 0xff) === RECORD_RUN ? high >>> (RECORD_SIZE_SHIFT - 32) : 1;
}

/** The address of a record's access. */
export function addressOf(words: Uint32Array, record: number): number {
  return (words[WORDS * record + 1] & 0xffff) * 2 ** 32 + words[WORDS * record];
}

/** The bytes of the access of the record at word `at`. */
export function bytesOf(words: Uint32Array, at: number): number {
  return Math.max(words[at + 1] >>> (RECORD_SIZE_SHIFT - 32), 1);
}

/** The numbers of the first and the last page that the record at word `at` touches. */
export function pagesOf(words: Uint32Array, at: number): { first: number; last: number } {
  const address = (words[at + 1] & 0xffff) * 2 ** 32 + words[at];
  const last = address + bytesOf(words, at) - 1;
  return { first: Math.floor(address / PAGE_SIZE), last: Math.floor(last / PAGE_SIZE) };
}

/** A mark in the records. */
export interface Mark {
  kind: number;
  thread: number;
  id: number;
}

/** What a block says of its marks. */
export type MarkNames = Pick<RecordBlock, "events" | "kernels">;

/** The name of the kernel that a mark of a block begins. */
export function kernelName({ id }: Mark, { events, kernels }: MarkNames): string {
  return events?.[id]?.name || kernels?.[id] || `kernel ${id}`;
}

/** The mark that a record is. */
export function markOf(words: Uint32Array, record: number): Mark {
  const how = words[WORDS * record + 2];
  return { kind: how & 0xff, thread: how >>> RECORD_THREAD_SHIFT, id: words[WORDS * record + 3] };
}
