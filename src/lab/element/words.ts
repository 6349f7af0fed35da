/** Words that several parts of the component write. */
import type { Agent } from "../operation.ts";
import type { Lab, LabStep } from "../lab.ts";
import { pageOf } from "../outcome.ts";
import type { EntryKind } from "../state.ts";
import { textOf } from "../texts-here.ts";

/** The name of an agent at the head of a line. */
export const AGENT_NAMES: Readonly<Record<Agent, string>> = {
  cpu: "CPU",
  device1: "Driver 1",
  device2: "Driver 2",
};

/** What the kinds of places are called, by the first part of their key, one and many. */
const PLACES: Readonly<Record<string, readonly [one: string, many: string]>> = {
  cpu: ["entry of the CPU's table", "entries of the CPU's table"],
  device: ["entry of a device's table", "entries of a device's table"],
  frame: ["frame", "frames"],
  vma: ["mapping", "mappings"],
  level: ["page table", "page tables"],
  rss: ["rss", "rss"],
  swap: ["count of swapped pages", "counts of swapped pages"],
  seq: ["notifier sequence", "notifier sequences"],
  sem: ["mmap_sem", "mmap_sem"],
  lock: ["driver's lock", "drivers' locks"],
  slot: ["word of the migration", "words of the migration"],
  memcg: ["charge", "charges"],
};

/** What each kind of entry of the CPU's table means for whoever touches the page. */
export const KIND_MEANINGS: Readonly<Record<EntryKind, string>> = {
  present: "the CPU reaches the page",
  migration: "the page is about to move, and whoever touches it waits",
  device: "the page lies on a device, and the CPU's touch faults and brings it back",
  exclusive: "a device has the page for itself, and the CPU's touch takes it back",
  swap: "the contents are in swap space, and a touch brings them back",
  other: "a special entry",
};

/** Says what a step changed: "4 entries of the CPU's table, 4 frames". */
export function changedText({ changed }: LabStep): string {
  const counts = new Map<string, number>();
  for (const key of changed) {
    const kind = key.split(".")[0];
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].map(([kind, n]) => `${n} ${PLACES[kind][n === 1 ? 0 : 1]}`).join(", ");
}

/**
 * Says what an engine's message says in the lab's words: an address is a page of the mapping, and what the
 * engine calls a page is a frame.
 */
export function inPages(message: string): string {
  return message
    .replace(/\bpage (\d+)/g, "frame $1")
    .replace(/ and the CPU (\d+)/, (_, frame) =>
      frame === "0" ? ", and the CPU none" : `, and the CPU frame ${frame}`,
    )
    .replace(/0x[0-9a-f]+/g, (address) => `page ${pageOf(Number(address))}`);
}

/** What a screen reader announces of the step that is shown. */
export function announcement(lab: Lab): string {
  const { shown: step, at, steps } = lab;
  const { title } = textOf(lab, at);
  const changed = changedText(step);
  const parts = [
    `Step ${at} of ${steps.length - 1}: ${title}.`,
    step.detail && `${step.detail}.`,
    step.error !== null && `Failed: ${step.error}.`,
    step.broken !== null && `Broken: ${inPages(step.broken)}.`,
    changed && `Changed: ${changed}.`,
  ];
  return parts.filter(Boolean).join(" ");
}

/** The flags of a CPU's entry as letters, each with its word. */
export const FLAG_LETTERS: readonly (readonly [word: string, letter: string])[] = [
  ["write", "W"],
  ["young", "Y"],
  ["dirty", "D"],
  ["exclusive", "X"],
];
