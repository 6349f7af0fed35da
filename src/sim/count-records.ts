/** Counts the accesses of records: all, and those of each device. */
import { RECORD_KIND_MASK } from "../../assembly/abi/record.ts";
import { countByAgent } from "../device/agent-counts.ts";
import type { RecordArray } from "../device/replay.ts";
import type { Hmm } from "../index.ts";
import { sum, type Accesses } from "./counts.ts";
import type { Ledger } from "./ledger.ts";
import { addCounts, agentOf, kindOf, WORDS } from "./record-words.ts";

/** Records [from, at) of an array, whose words these are, without those of `left`. */
interface Replayed {
  records: RecordArray;
  words: Uint32Array;
  from: number;
  at: number;
  left: number[];
}

/**
 * Adds the accesses of records to a ledger's. Returns how many records that were, those of `left` included.
 */
export function countRecords(hmm: Hmm, replayed: Replayed, ledger: Ledger): number {
  const { records, words, from, at, left } = replayed;
  const { devices, accesses } = ledger;
  const counts = records.count(from, at);
  const all = sum(counts);
  for (const record of left) counts[kindOf(words[WORDS * record + 2])]--;
  addCounts(accesses.cpu, counts);
  addCounts(accesses.device, counts.subarray(4));
  ledger.ranges.count(records, from, at, left);
  if (devices.length === 1) addCounts(devices[0].accesses, counts.subarray(4));
  else countEach(hmm, replayed, devices);
  return all;
}

/** Adds the accesses of records to those of each device. */
function countEach(
  hmm: Hmm,
  { records, words, from, at, left }: Replayed,
  devices: readonly { accesses: Accesses }[],
): void {
  const counts = countByAgent(hmm, records, from, at, devices.length + 1);
  for (const record of left) {
    const how = words[WORDS * record + 2];
    counts[4 * agentOf(how) + (how & RECORD_KIND_MASK)]--;
  }
  devices.forEach(({ accesses }, i) => addCounts(accesses, counts.subarray(4 * (i + 1))));
}
