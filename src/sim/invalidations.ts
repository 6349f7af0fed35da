/** Invalidations by their events, as reports name them. */
import {
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_EXCLUSIVE,
  MMU_NOTIFY_MIGRATE,
  MMU_NOTIFY_PROTECTION_PAGE,
  MMU_NOTIFY_PROTECTION_VMA,
  MMU_NOTIFY_RELEASE,
  MMU_NOTIFY_SOFT_DIRTY,
  MMU_NOTIFY_UNMAP,
} from "../../assembly/uapi/event.ts";
import type { MmuNotifyEvent } from "../index.ts";
import type { Invalidations } from "./counts.ts";

/** By event, what counts it. */
const KINDS: Record<MmuNotifyEvent, keyof Invalidations> = {
  [MMU_NOTIFY_UNMAP]: "unmap",
  [MMU_NOTIFY_CLEAR]: "clear",
  [MMU_NOTIFY_PROTECTION_VMA]: "protection",
  [MMU_NOTIFY_PROTECTION_PAGE]: "protection",
  [MMU_NOTIFY_SOFT_DIRTY]: "other",
  [MMU_NOTIFY_RELEASE]: "other",
  [MMU_NOTIFY_MIGRATE]: "migrate",
  [MMU_NOTIFY_EXCLUSIVE]: "other",
};
const EVENTS = Object.keys(KINDS).map((event) => Number(event) as MmuNotifyEvent);

/** Returns the counts of invalidations, where `told` says how often there was an event. */
export function invalidationsOf(told: (event: MmuNotifyEvent) => number): Invalidations {
  const counts: Invalidations = { migrate: 0, clear: 0, protection: 0, unmap: 0, other: 0 };
  for (const event of EVENTS) counts[KINDS[event]] += told(event);
  return counts;
}
