import {
  HDR_END,
  HDR_FLAGS,
  HDR_FLAG_LOG,
  HDR_FLAG_STEPS,
  HDR_MAGIC,
  HEADER,
  HEADER_MAGIC,
} from "../assembly/abi/header.ts";
import { MIGRATION_MM, MIGRATION_VMA } from "../assembly/abi/object.ts";
import { POOL_BASE, POOL_HIGH, RESOURCE_MIGRATION, RESOURCE_PAGE_TABLE } from "../assembly/abi/pool.ts";
import { PAGE_SIZE } from "../assembly/uapi/page.ts";
import { DeviceTable } from "./device/device-table.ts";
import { HmmDevmem, type HmmDevmemOps } from "./device/devmem.ts";
import { HmmMirror, type HmmMirrorOps } from "./device/mirror.ts";
import { MmuIntervalNotifier, type MmuIntervalNotifierOps } from "./device/notifier.ts";
import { growTo, type HmmSettings } from "./engine/config.ts";
import type { Context } from "./engine/context.ts";
import type { CoreExports } from "./engine/core.ts";
import { badRange, badType, checkMethod, checkOptions } from "./engine/errors.ts";
import type { WasmModule } from "./engine/host.ts";
import { Memory } from "./engine/memory.ts";
import { Migration } from "./migrate/migration.ts";
import { HmmFile } from "./space/file.ts";
import { Memcg } from "./space/memcg.ts";
import { Mm } from "./space/mm.ts";

const TAKE = "hmm.snapshot";
const OP = "Hmm.restore";
const MAGIC = "heteromem snapshot 2\n";
/** More bytes than the two lines have. */
const LINES_MAX = 64;
const ALIGN = 16;
const WASM_PAGE = 65536;
/** Bytes of memory that are copied and summed at a time: the second step finds much of them in the cache. */
const PIECE = 1 << 20;

/** How a snapshot is taken. */
export interface SnapshotOptions {
  /**
   * The array that the snapshot goes to, at its beginning; the caller may use it again. Default: a new array.
   */
  into?: Uint8Array | undefined;
}

/** The callbacks of a devmem that is restored, and its owner. Devmems that had one owner need one value. */
export type DevmemAttachment = { ops: HmmDevmemOps } & ({ owner: unknown } | DeprecatedOwner);

/** The owner under the name that 0.1.0 had for it. */
export interface DeprecatedOwner {
  /** @deprecated Write `owner`. */
  device: unknown;
}

/** The callbacks that a restored engine needs, by the stable id of the object that had them. */
export interface RestoreAttachments {
  mirrors?: Record<string, HmmMirrorOps> | undefined;
  /** null: a notifier that had no callback of its own, but a device table. */
  notifiers?: Record<string, MmuIntervalNotifierOps | null> | undefined;
  devmems?: Record<string, DevmemAttachment> | undefined;
  /** The core, which must be the one that the snapshot was taken with. Default: the package's own. */
  module?: WasmModule | undefined;
}

interface SubscriberRecord {
  kind: "mirror" | "notifier";
  id: string;
  mm: number;
  notifier: number;
  start: number;
  last: number;
  /** It has no callback: the core serves it alone. */
  silent?: true;
}

/** @internal What a snapshot contains beside the memory: which objects were open. */
export interface SnapshotHeader {
  settings: HmmSettings;
  owners: number;
  ids: Context["ids"];
  mms: number[];
  memcgs: number[];
  devmems: { id: string; zone: number }[];
  subscribers: SubscriberRecord[];
  tables: { table: number; mm: number }[];
  /** Files that a handle held. */
  files: number[];
  migrations: number[];
  /** Arena addresses of pfn arrays: their JavaScript side is gone, so the restored engine frees them. */
  arrays: number[];
}

/** @internal Says which objects are open. */
export function describe(ctx: Context): SnapshotHeader {
  const sorted = (numbers: Iterable<number>): number[] => [...numbers].sort((a, b) => a - b);
  const subscribers: SubscriberRecord[] = [];
  for (const id of sorted(ctx.mms.keys())) {
    for (const subscriber of ctx.mms.get(id)!.subscribers) {
      const { kind, id: name, notifier, start, last, silent } = subscriber;
      const record: SubscriberRecord = { kind, id: name, mm: id, notifier, start, last };
      subscribers.push(silent ? { ...record, silent } : record);
    }
  }
  return {
    settings: ctx.settings,
    owners: ctx.owners.count,
    ids: ctx.ids,
    mms: sorted(ctx.mms.keys()),
    memcgs: sorted(ctx.memcgs.keys()),
    devmems: sorted(ctx.devmems.keys()).map((zone) => ({ id: ctx.devmems.get(zone)!.id, zone })),
    subscribers,
    tables: sorted(ctx.deviceTables.keys()).map((table) => ({
      table,
      mm: ctx.deviceTables.get(table)!.mm?.id ?? 0,
    })),
    files: sorted(ctx.files.keys()),
    migrations: sorted(ctx.migrations.map(({ id }) => id)),
    arrays: sorted([...ctx.arrays].map((array) => array.byteOffset)),
  };
}

/**
 * Copies the first `used` bytes of memory with `copy`, piece by piece. Returns a checksum of the header's
 * text and of that memory; `when` says whether a piece is summed before it is copied or afterwards.
 */
function copyMemory(
  core: CoreExports,
  text: Uint8Array,
  used: number,
  when: "before" | "after",
  copy: (start: number, end: number) => void,
): number {
  const add = (sum: number, word: number): number => Math.imul(sum ^ word, 0x01000193);
  let sum = text.reduce(add, 0x811c9dc5);
  for (let start = 0; start < used; start += PIECE) {
    const end = Math.min(start + PIECE, used);
    if (when === "after") copy(start, end);
    sum = add(sum, core.checksum(start, end));
    if (when === "before") copy(start, end);
  }
  return sum >>> 0;
}

/** Returns how many bytes of memory a snapshot has: up to the last page table that was ever in use. */
function usedBytes(mem: Memory): number {
  const tables = mem.pool(RESOURCE_PAGE_TABLE, POOL_HIGH) + 1;
  const end = mem.pool(RESOURCE_PAGE_TABLE, POOL_BASE) + tables * PAGE_SIZE;
  return Math.ceil(end / WASM_PAGE) * WASM_PAGE;
}

/** Returns the array that a snapshot of `length` bytes goes to. */
function destination(ctx: Context, into: unknown, length: number): Uint8Array {
  const name = "options.into";
  if (into === undefined) return new Uint8Array(length);
  if (!(into instanceof Uint8Array)) throw badType(TAKE, name, "a Uint8Array", into);
  if (into.buffer === ctx.mem.buffer) throw badRange(TAKE, name, "outside of the engine's own memory", into);
  if (into.length < length) throw badRange(TAKE, name, `at least ${length} bytes long`, into.length);
  return into.subarray(0, length);
}

/**
 * @internal Hmm.snapshot. A snapshot consists of a magic line, a line with the checksum of all that follows
 * and the header's length, the header as JSON, padding, and the used part of linear memory.
 */
export function takeSnapshot(ctx: Context, options: SnapshotOptions): Uint8Array {
  checkOptions(TAKE, "options", options);
  ctx.demandOutermost(TAKE);
  const encoder = new TextEncoder();
  const text = encoder.encode(JSON.stringify(describe(ctx)));
  const lineOf = (sum: number): Uint8Array =>
    encoder.encode(`${MAGIC}${sum.toString(16).padStart(8, "0")} ${text.length}\n`);
  const at = lineOf(0).length;
  const from = Math.ceil((at + text.length) / ALIGN) * ALIGN;
  const used = usedBytes(ctx.mem);
  const bytes = destination(ctx, options.into, from + used);
  const memory = ctx.mem.bytes;
  const sum = copyMemory(ctx.core, text, used, "before", (start, end) =>
    bytes.set(memory.subarray(start, end), from + start),
  );
  bytes.set(lineOf(sum));
  bytes.set(text, at);
  bytes.fill(0, at + text.length, from);
  return bytes;
}

/** @internal Reads a snapshot's header and fills a fresh core's memory with its bytes. */
export function openSnapshot(
  core: CoreExports,
  bytes: Uint8Array,
  attach: RestoreAttachments,
): { mem: Memory; header: SnapshotHeader } {
  if (!(bytes instanceof Uint8Array)) throw badType(OP, "bytes", "a Uint8Array", bytes);
  if (typeof attach !== "object" || attach === null) throw badType(OP, "attach", "an object", attach);
  const { sum, text, from } = readLine(bytes);
  const used = bytes.length - from;
  if (used <= 0 || used % WASM_PAGE !== 0) throw notOne(bytes);
  growTo(core.memory, used);
  const copied = new Uint8Array(core.memory.buffer);
  const found = copyMemory(core, text, used, "after", (start, end) =>
    copied.set(bytes.subarray(from + start, from + end), start),
  );
  if (found !== sum) throw notOne(bytes);
  growTo(core.memory, new DataView(core.memory.buffer).getUint32(HEADER + HDR_END, true) * WASM_PAGE);
  const mem = new Memory(core.memory);
  if (mem.header(HDR_MAGIC) !== HEADER_MAGIC || usedBytes(mem) !== used) throw notOne(bytes);
  const header = JSON.parse(new TextDecoder().decode(text)) as SnapshotHeader;
  checkAttachments(header, attach);
  mem.setHeader(HDR_FLAGS, mem.header(HDR_FLAGS) & ~(HDR_FLAG_LOG | HDR_FLAG_STEPS));
  return { mem, header };
}

function notOne(bytes: Uint8Array): RangeError {
  return badRange(OP, "bytes", "a snapshot of this version", bytes.length);
}

/** Reads the two lines and the header's text. The checksum is not checked yet. */
function readLine(bytes: Uint8Array): { sum: number; text: Uint8Array; from: number } {
  const start = new TextDecoder().decode(bytes.subarray(0, LINES_MAX));
  const line = start.startsWith(MAGIC) ? /^([0-9a-f]{8}) (\d+)\n/.exec(start.slice(MAGIC.length)) : null;
  if (line === null) throw notOne(bytes);
  const at = MAGIC.length + line[0].length;
  const text = bytes.subarray(at, at + Number(line[2]));
  return { sum: Number.parseInt(line[1], 16), text, from: Math.ceil((at + text.length) / ALIGN) * ALIGN };
}

/** @internal Throws RangeError where an object that the header names has no callbacks. */
export function checkAttachments(header: SnapshotHeader, attach: RestoreAttachments, op = OP): void {
  for (const { kind, id, silent } of header.subscribers) {
    const ops = kind === "mirror" ? attach.mirrors?.[id] : attach.notifiers?.[id];
    const name = `attach.${kind}s[${JSON.stringify(id)}]`;
    if (silent === true && ops == null) continue;
    if (typeof ops !== "object" || ops === null) throw badRange(op, name, "given", ops);
    const legacy = "syncCpuDevicePagetables" in ops;
    checkMethod(
      op,
      name,
      ops,
      kind === "notifier" ? "invalidate" : legacy ? "syncCpuDevicePagetables" : "update",
    );
  }
  for (const { id } of header.devmems) {
    const devmem = attach.devmems?.[id];
    if (devmem === undefined || typeof devmem.ops?.fault !== "function" || ownerOf(devmem) == null) {
      throw badRange(op, `attach.devmems[${JSON.stringify(id)}]`, "given, with ops and owner", devmem);
    }
  }
}

function ownerOf(attachment: DevmemAttachment): unknown {
  return "owner" in attachment ? attachment.owner : attachment.device;
}

/** @internal Makes the objects that the header names. */
export function restoreObjects(ctx: Context, header: SnapshotHeader, attach: RestoreAttachments): void {
  Object.assign(ctx.ids, header.ids);
  for (let number = 1; number <= header.owners; number++) ctx.owners.restore(number, { owner: number });
  for (const id of header.memcgs) Memcg.restore(ctx, id);
  const mms = new Map(header.mms.map((id) => [id, Mm.open(ctx, id)]));
  for (const { id, zone } of header.devmems) {
    const attachment = attach.devmems![id];
    const owner = ownerOf(attachment);
    const devmem = HmmDevmem.open(ctx, zone, attachment.ops, owner, id);
    ctx.owners.restore(devmem.ownerNumber, owner);
  }
  for (const record of header.subscribers) restoreSubscriber(ctx, mms.get(record.mm)!, record, attach);
  for (const { table, mm } of header.tables) new DeviceTable(mms.get(mm) ?? ctx.hmm, { restored: table });
  for (const id of header.files) HmmFile.restore(ctx, id);
  for (const id of header.migrations) restoreMigration(ctx, mms, id);
  for (const address of header.arrays) ctx.core.arenaFree(address);
}

function restoreSubscriber(ctx: Context, mm: Mm, record: SubscriberRecord, attach: RestoreAttachments): void {
  const { kind, id, notifier, start, last } = record;
  if (kind === "mirror") new HmmMirror(attach.mirrors![id], { id }).attach(OP, mm, ctx, notifier);
  else
    new MmuIntervalNotifier(mm, start, last - start + 1, attach.notifiers?.[id] ?? null, {
      id,
      restored: notifier,
    });
}

function restoreMigration(ctx: Context, mms: ReadonlyMap<number, Mm>, id: number): void {
  const address = ctx.mem.objectAddress(RESOURCE_MIGRATION, id);
  const mm = mms.get(ctx.mem.u32(address + MIGRATION_MM)) ?? null;
  const pointer = ctx.mem.u32(address + MIGRATION_VMA);
  Migration.restore(ctx, id, mm === null || pointer === 0 ? null : mm.vmaAt(pointer), mm);
}
