import { EAGAIN, EBUSY, EFAULT, ENOMEM } from "../../assembly/uapi/errno.ts";
import { REQUEST } from "../../assembly/abi/request.ts";
import {
  HDR_CMD_DEPTH,
  HDR_EXHAUSTED,
  HDR_FAULT_CODE,
  HDR_OPEN_MIGRATION,
  HDR_XBUF,
  POOL_CAPACITY,
  TABLE_POOLS,
} from "../../assembly/abi/struct.ts";
import { FAULT_MIGRATION } from "../../assembly/uapi/vm.ts";
import type { DeviceTable } from "../device/device-table.ts";
import type { HmmDevmem } from "../device/devmem.ts";
import type { HmmMirror } from "../device/mirror.ts";
import type { MmuIntervalNotifier } from "../device/notifier.ts";
import type { AddressArray, PfnArray } from "../device/pages.ts";
import type { Hmm, HmmSettings } from "../hmm.ts";
import type { Migration } from "../migrate/migration.ts";
import type { HmmFile } from "../space/file.ts";
import type { Memcg } from "../space/memcg.ts";
import type { Mm } from "../space/mm.ts";
import type { CoreExports } from "./core.ts";
import { badType, EDEADLK, HmmError, type HmmErrorFields } from "./errors.ts";
import type { EventLog } from "./events.ts";
import type { Memory } from "./memory.ts";
import { Owners } from "./owners.ts";
import { serve } from "./request.ts";

const TABLE_NAMES = [
  "address spaces",
  "vmas",
  "anon_vmas",
  "anon_vma links",
  "page tables",
  "notifiers",
  "memory cgroups",
  "open migrations",
  "device tables",
  "files",
  "KSM pages",
  "KSM addresses",
];
const OTHER_NAMES = [
  "system memory",
  "device memory",
  "arena",
  "nested operations",
  "memory cgroup limit",
  "address space",
  "devmems",
  "injected failure",
  "hugetlb pages",
];
const FIRST_OTHER = 16;
const NOTHING = 0xffffffff;

/** A device fault that a driver is serving now. */
export interface DeviceFault {
  mm: Mm;
  devmem: HmmDevmem;
  address: number;
  /** The pfn that the core holds locked and referenced. */
  page: number;
}

/** The arrays of a migration: src begins at `address`, dst follows it. */
export interface MigrationArrays {
  readonly address: number;
  readonly src: Uint32Array<ArrayBuffer>;
  readonly dst: Uint32Array<ArrayBuffer>;
}

const contexts = new WeakMap<object, Context>();

/** The context of an Hmm. Throws TypeError for anything else. */
export function contextOf(op: string, hmm: unknown, argument = "hmm", expected = "an Hmm"): Context {
  const ctx = typeof hmm === "object" && hmm !== null ? contexts.get(hmm) : undefined;
  if (ctx === undefined) throw badType(op, argument, expected, hmm);
  return ctx;
}

/**
 * What the objects of one engine share: the core, its memory, and who is registered. One `run` serves all operations:
 * it runs the core, serves what it asks for, and runs it on.
 */
export class Context {
  /** How many driver callbacks are running, nested. */
  depth = 0;
  /** How many of them are notifier callbacks. */
  invalidating = 0;
  /** Device faults that drivers are serving, innermost last. */
  readonly faults: DeviceFault[] = [];
  readonly mms = new Map<number, Mm>();
  readonly memcgs = new Map<number, Memcg>();
  /** By zone. Changed by listDevmem only. */
  readonly devmems = new Map<number, HmmDevmem>();
  readonly mirrors = new Set<HmmMirror>();
  readonly notifiers = new Set<MmuIntervalNotifier>();
  /** Open ones; the last is mostly the one that was begun last. */
  readonly migrations: Migration[] = [];
  readonly tables = new Map<number, DeviceTable>();
  /** Those that somebody holds. */
  readonly files = new Map<number, HmmFile>();
  readonly arrays = new Set<PfnArray | AddressArray>();
  readonly owners = new Owners();
  /** Device faults that an asynchronous driver is serving, by pfn. */
  readonly asyncFaults = new Map<number, Promise<void>>();
  /** Counters of default ids. */
  readonly ids = { mirror: 0, devmem: 0, notifier: 0, table: 0 };
  #listed: readonly HmmDevmem[] = [];
  /** What the last fault callback threw: the cause of the error that the access ends with. */
  faultCause: unknown = undefined;
  readonly #errors: unknown[] = [];
  readonly #migrationArrays: MigrationArrays[] = [];
  #settling = false;

  readonly hmm: Hmm;
  readonly core: CoreExports;
  readonly mem: Memory;
  readonly settings: HmmSettings;
  readonly log: EventLog;

  constructor(hmm: Hmm, core: CoreExports, mem: Memory, settings: HmmSettings, log: EventLog) {
    contexts.set(hmm, this);
    this.hmm = hmm;
    this.core = core;
    this.mem = mem;
    this.settings = settings;
    this.log = log;
    mem.setHeader(HDR_EXHAUSTED, NOTHING);
  }

  /** Runs an operation, of which `answer` is the first one, to its end: serves each request and resumes. */
  run(answer: number): number {
    while (answer === REQUEST) {
      serve(this);
      answer = this.core.resume();
    }
    return answer;
  }

  /**
   * Ends an API call: a negative answer becomes an HmmError; at the outermost call, freed device pages are reported,
   * the event log is delivered, and what notifier callbacks threw is thrown. Else returns the answer. `fields`: of the
   * error.
   */
  finish(op: string, answer: number, fields?: HmmErrorFields): number {
    if (answer >= 0) {
      this.settle();
      return answer;
    }
    return this.abort(this.error(op, -answer, undefined, fields));
  }

  /** Ends an API call that failed. Throws `error`, with what callbacks threw beside it. */
  abort(error: unknown): never {
    const thrown: unknown[] = [error];
    try {
      this.settle();
    } catch (others) {
      thrown.push(...(others instanceof AggregateError ? (others.errors as unknown[]) : [others]));
    }
    if (thrown.length === 1) throw error;
    throw new AggregateError(thrown, String(error));
  }

  /** The HmmError for a positive errno, with what the core tells about it. */
  error(op: string, errno: number, detail?: string, fields: HmmErrorFields = {}): HmmError {
    const more = { cause: this.faultCause, ...fields };
    if (errno === EAGAIN) more.migration = this.metMigration()?.id;
    this.faultCause = undefined;
    return new HmmError(errno, op, detail ?? this.#detail(errno, more.migration), more);
  }

  #detail(errno: number, migration: number | undefined): string {
    if (errno === ENOMEM) return this.exhausted();
    if (errno === EAGAIN) {
      return migration === undefined
        ? "somebody holds the page's lock"
        : `migration ${migration} is open; await its end, or use the Async form`;
    }
    if (errno === EBUSY) return "in use";
    if (errno === EFAULT) return "bad address";
    return "";
  }

  /** The open migration whose page the last operation met (-EAGAIN); undefined: somebody else holds the page's lock. */
  metMigration(): Migration | undefined {
    if (this.mem.header(HDR_FAULT_CODE) !== FAULT_MIGRATION) return undefined;
    const id = this.mem.header(HDR_OPEN_MIGRATION);
    return this.migrations.find((migration) => migration.id === id);
  }

  /** What ran out at the last -ENOMEM: "page tables (capacity 1024)"; empty if nothing did. */
  exhausted(): string {
    const table = this.mem.header(HDR_EXHAUSTED);
    if (table < TABLE_POOLS) return `${TABLE_NAMES[table]} (capacity ${this.mem.pool(table, POOL_CAPACITY)})`;
    return OTHER_NAMES[table - FIRST_OTHER] ?? "";
  }

  /** Adds a devmem, or takes it away. */
  listDevmem(devmem: HmmDevmem, present: boolean): void {
    if (present) this.devmems.set(devmem.zone, devmem);
    else this.devmems.delete(devmem.zone);
    this.#listed = [...this.devmems.values()];
  }

  /** Keeps what a notifier or free callback threw: the operation goes on, and its API call throws it. */
  keep(error: unknown): void {
    this.#errors.push(error);
  }

  /** The outermost call's end: news for drivers and listeners, then what callbacks threw. */
  settle(): void {
    this.mem.setHeader(HDR_EXHAUSTED, NOTHING);
    if (this.depth !== 0 || this.#settling) return;
    this.#settling = true;
    try {
      for (let i = 0; i < this.#listed.length; i++) this.#listed[i].deliverFreed();
      this.log.deliver();
    } finally {
      this.#settling = false;
    }
    this.faultCause = undefined;
    if (this.#errors.length === 0) return;
    const errors = this.#errors.splice(0);
    if (errors.length === 1) throw errors[0];
    throw new AggregateError(errors, `${errors.length} callbacks threw`);
  }

  /**
   * The exchange buffer's address, for n bytes. An operation that is nested in another one's callback keeps what the
   * outer one has there: call the returned `restore` when done.
   */
  exchange(n: number): { address: number; restore: () => void } {
    const address = this.mem.header(HDR_XBUF);
    if (this.depth === 0) return { address, restore: nothing };
    const saved = this.mem.bytes.slice(address, address + n);
    return { address, restore: () => this.mem.bytes.set(saved, address) };
  }

  /** Bytes from the arena, zeroed, 8-byte aligned. Throws HmmError ENOMEM. */
  alloc(op: string, bytes: number): number {
    const address = this.core.arenaAlloc(bytes) >>> 0;
    if (address === 0) throw this.error(op, ENOMEM, "arena (config.arena)");
    return address;
  }

  /**
   * The arrays, of n words, of migration `id`. A view costs more than most calls, so the last ones of each id are kept: the
   * next migration often has the same id and the same place in the arena.
   */
  migrationArrays(id: number, address: number, n: number): MigrationArrays {
    const kept = this.#migrationArrays[id];
    if (kept !== undefined && kept.address === address && kept.src.length === n) return kept;
    const made = { address, src: this.mem.wordsAt(address, n), dst: this.mem.wordsAt(address + 4 * n, n) };
    this.#migrationArrays[id] = made;
    return made;
  }

  /** Runs `body` with n bytes of the arena. */
  withScratch<T>(op: string, bytes: number, body: (address: number) => T): T {
    const address = this.alloc(op, bytes);
    try {
      return body(address);
    } finally {
      this.core.arenaFree(address);
    }
  }

  /** Refuses what changes mappings inside a notifier callback: it may run under a walk over them. */
  demandNoInvalidation(op: string): void {
    if (this.invalidating === 0) return;
    throw new HmmError(EDEADLK, op, "would deadlock: called from a notifier's callback");
  }

  /** Refuses what may not happen inside a driver's callback. */
  demandOutermost(op: string): void {
    this.core.demandWhole();
    if (this.depth !== 0 || this.mem.header(HDR_CMD_DEPTH) !== 0) {
      throw new TypeError(`${op}: must not be called from a driver's callback`);
    }
  }

  /** The owner's number: of any value, of a HmmDevmem, or of an object that has one as `devmem`. */
  ownerNumber(owner: unknown): number {
    if (typeof owner !== "object" || owner === null) return this.owners.number(owner);
    const candidate = (owner as { devmem?: unknown }).devmem ?? owner;
    const zone = (candidate as { zone?: unknown }).zone;
    const devmem = typeof zone === "number" ? this.devmems.get(zone) : undefined;
    return devmem !== undefined && devmem === candidate ? devmem.ownerNumber : this.owners.number(owner);
  }
}

function nothing(): void {
  // The exchange buffer is nobody else's: nothing to restore.
}
