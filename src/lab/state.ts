/** What the lab shows of a world: plain data, made of what the engine describes. */
import { RESERVED_FRAMES } from "../../assembly/abi/frame.ts";
import { frameOf, windowsOf } from "../inside.ts";
import {
  describePfn,
  explain,
  HMM_PFN_WRITE,
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_ERROR,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_PFN_WRITE,
  migratePfnToPage,
  PAGE_SIZE,
  PFN_MASK,
  PTE_KIND_DEVICE,
  PTE_KIND_DEVICE_EXCLUSIVE,
  PTE_KIND_MASK,
  PTE_KIND_MIGRATION,
  PTE_KIND_SWAP,
  type Migration,
  type Mm,
  type TableDescription,
} from "../index.ts";
import { BASE, ramFrames } from "./config.ts";
import { agentName, describeOperation, type Agent } from "./operation.ts";
import { pageOf, pagesText } from "./outcome.ts";
import { currentTask } from "./steps.ts";
import { STEP_TEXTS } from "./texts.ts";
import type { World } from "./world.ts";

/** What a page-table entry of the CPU is. */
export type EntryKind = "present" | "migration" | "device" | "exclusive" | "swap" | "other";

/** One entry of the CPU's page table. */
export interface CpuEntry {
  readonly page: number;
  readonly kind: EntryKind;
  /** What its bits mean. */
  readonly text: string;
  /** The frame that it names; 0: none. */
  readonly frame: number;
}

/** One entry of a device's table. */
export interface DeviceEntry {
  readonly page: number;
  readonly text: string;
  readonly frame: number;
  readonly write: boolean;
}

/** A table of the CPU above the entries: 4 PGD, 3 PUD, 2 PMD, 1 PTE. */
export interface Level {
  readonly level: number;
  /** The first address that the table covers, in hex. */
  readonly address: string;
  /** Which of its 512 slots leads to the lab's pages. */
  readonly slot: number;
}

/** What is shown of a process. */
export interface ProcessState {
  readonly number: number;
  readonly vmas: readonly { pages: string; text: string }[];
  readonly levels: readonly Level[];
  readonly entries: readonly CpuEntry[];
  readonly rss: { readonly anon: number; readonly swap: number };
  /** The notifier sequence; odd: a window is open. */
  readonly seq: number;
  readonly windows: number;
  /** Who holds mmap_sem. */
  readonly sem: string;
}

/** What is shown of a device. */
export interface DeviceState {
  readonly number: number;
  readonly used: number;
  readonly frames: number;
  /** Who holds the driver's lock; empty: nobody. */
  readonly lock: string;
  readonly tables: readonly { process: number; entries: readonly DeviceEntry[] }[];
}

/** What is shown of a frame. */
export interface FrameState {
  readonly frame: number;
  /** "ram", "device1" or "device2". */
  readonly where: string;
  readonly refs: number;
  readonly maps: number;
  readonly flags: string;
  /** The first word of its contents; null: the frame is free. */
  readonly value: number | null;
}

/** One slot of an open migration. */
export interface SlotState {
  /** The page, or the slot for a migration by frames. */
  readonly name: string;
  readonly src: string;
  readonly dst: string;
  /** Why the page stays; empty: it moves. */
  readonly reason: string;
}

/** What is shown of an open migration. */
export interface MigrationState {
  readonly id: number;
  readonly title: string;
  readonly slots: readonly SlotState[];
}

/** What is shown of somebody who has work to do. */
export interface AgentState {
  readonly agent: Agent;
  readonly operation: string;
  /** The title of the next step. */
  readonly next: string;
  readonly holds: readonly string[];
}

/** All of it. */
export interface LabState {
  readonly processes: readonly ProcessState[];
  readonly devices: readonly DeviceState[];
  readonly frames: readonly FrameState[];
  readonly migrations: readonly MigrationState[];
  readonly memcg: { readonly usage: number; readonly limit: number };
  readonly agents: readonly AgentState[];
}

const KINDS: Readonly<Record<number, EntryKind>> = {
  [PTE_KIND_MIGRATION]: "migration",
  [PTE_KIND_DEVICE]: "device",
  [PTE_KIND_DEVICE_EXCLUSIVE]: "exclusive",
  [PTE_KIND_SWAP]: "swap",
};
const SLOTS = 512;

/** Describes a world as it is now, between two steps or inside one. */
export function describeWorld(world: World): LabState {
  const { hmm } = world;
  const [memcg] = hmm.memcgs();
  const limit = memcg.limit === Infinity ? 0 : memcg.limit;
  return {
    processes: world.processes.map((mm, i) => describeProcess(world, mm, i + 1)),
    devices: world.drivers.map((driver) => ({
      number: driver.number,
      used: driver.devmem.usedPages,
      frames: world.config.frames,
      lock: driver.lock.holder ?? "",
      tables: [...driver.mirrors].map(([process, { table }]) => ({
        process,
        entries: deviceEntries(table.snapshot(BASE, world.config.pages)),
      })),
    })),
    frames: describeFrames(world),
    migrations: hmm.migrations().map((migration) => describeMigration(world, migration)),
    memcg: { usage: memcg.usage, limit },
    agents: describeAgents(world),
  };
}

function describeProcess(world: World, mm: Mm, number: number): ProcessState {
  const end = BASE + world.config.pages * PAGE_SIZE;
  const { vmas, root } = mm.describe({ start: BASE, end });
  const levels: Level[] = [];
  let table: TableDescription | undefined = root;
  for (; table !== undefined; table = table.tables[0]) {
    const covers = PAGE_SIZE * SLOTS ** (table.level - 1);
    const slot = Math.floor((BASE - table.address) / covers) % SLOTS;
    levels.push({ level: table.level, address: `0x${table.address.toString(16)}`, slot });
    if (table.level === 1) break;
  }
  const { seq, open } = windowsOf(mm);
  const { anon, swap } = mm.rss;
  return {
    number,
    vmas: vmas.map(({ start, end, text }) => ({ pages: pagesText(start, end), text })),
    levels,
    entries: (table?.entries ?? []).map(({ address, flags, text, page }) => ({
      page: pageOf(address),
      kind: KINDS[flags & PTE_KIND_MASK] ?? ((flags & PTE_KIND_MASK) === 0 ? "present" : "other"),
      text,
      frame: page?.page ?? 0,
    })),
    rss: { anon, swap },
    seq,
    windows: open,
    sem: mm.mmapSem.holders.map((holder) => `${mm.mmapSem.mode} by ${agentName(holder)}`).join(", "),
  };
}

function deviceEntries(words: Uint32Array): DeviceEntry[] {
  return [...words].flatMap((word, page) =>
    word === 0
      ? []
      : [{ page, text: describePfn(word), frame: word & PFN_MASK, write: (word & HMM_PFN_WRITE) !== 0 }],
  );
}

function describeFrames(world: World): FrameState[] {
  const { hmm, config } = world;
  const ram = Array.from({ length: ramFrames(config) }, (_, i) => ({
    frame: RESERVED_FRAMES + i,
    where: "ram",
  }));
  const device = world.drivers.flatMap(({ devmem, owner }) =>
    Array.from({ length: config.frames }, (_, i) => ({ frame: devmem.pfnFirst + i, where: owner })),
  );
  return [...ram, ...device].map(({ frame, where }) => {
    const { refcount, mapcount, flags } = frameOf(hmm, frame);
    const value = refcount === 0 ? null : hmm.pageBytes(frame, firstWord);
    return { frame, where, refs: refcount, maps: mapcount, flags, value };
  });
}

function firstWord(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

function describeMigration(world: World, m: Migration): MigrationState {
  const { reasons } = m;
  const number = world.processes.indexOf(m.mm as Mm) + 1;
  const slots = [...m.src].map((src, i) => ({
    name: m.mm === null ? `slot ${i}` : `page ${pageOf(m.start) + i}`,
    src: migrationWord(src),
    dst: migrationWord(m.dst[i]),
    reason: reasons[i] === 0 ? "" : explain(reasons[i] as never),
  }));
  const shown = m.mm === null ? slots.filter(({ src }) => src !== "0") : slots;
  const range = m.mm === null ? "of a device's frames" : `of ${pagesText(m.start, m.end)}`;
  const who = number > 1 ? ` of process ${number}` : "";
  return { id: m.id, title: `Migration ${range}${who}`, slots: shown };
}

/** Says what a word of src or dst means: "VALID MIGRATE WRITE frame 12". */
function migrationWord(word: number): string {
  const names = [
    [MIGRATE_PFN_VALID, "VALID"],
    [MIGRATE_PFN_MIGRATE, "MIGRATE"],
    [MIGRATE_PFN_WRITE, "WRITE"],
    [MIGRATE_PFN_COMPOUND, "COMPOUND"],
    [MIGRATE_PFN_ERROR, "ERROR"],
  ] as const;
  const set: string[] = names.filter(([bit]) => (word & bit) !== 0).map(([, name]) => name);
  const frame = migratePfnToPage(word);
  if (frame !== 0) set.push(`frame ${frame}`);
  return set.join(" ") || "0";
}

function describeAgents(world: World): AgentState[] {
  return (["cpu", "device1", "device2"] as const).flatMap((agent) => {
    const task = currentTask(world, agent);
    if (task === undefined || task.next === null) return [];
    const { title } = STEP_TEXTS[task.next];
    return [{ agent, operation: describeOperation(task.operation), next: title, holds: [...task.holds] }];
  });
}
