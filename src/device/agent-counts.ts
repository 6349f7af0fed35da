/** Counts the accesses of records by who makes them, at the core's speed. */
import { HDR_XBUF } from "../../assembly/abi/header.ts";
import { contextOf } from "../engine/context.ts";
import type { Forward } from "../engine/forward.ts";
import type { RecordArray } from "./replay.ts";

/** Counts of an agent: loads, stores, modifies and fetches. */
const COUNTS = 4;

/**
 * Counts records [at, n) by agent. Element 4 · i of the result has the loads of agent i, which is below
 * `agents`, the next ones its stores and modifies.
 */
export function countByAgent(
  hmm: Forward["Hmm"],
  records: RecordArray,
  at: number,
  n: number,
  agents: number,
): Uint32Array {
  const { core, mem } = contextOf("countByAgent", hmm);
  core.replayCountAgents(records.byteOffset, at, n);
  const address = mem.header(HDR_XBUF);
  return mem.words.slice(address / 4, address / 4 + COUNTS * agents);
}
