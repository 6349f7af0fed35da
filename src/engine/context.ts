import { EAGAIN, EBUSY, EFAULT, ENOMEM } from "../../assembly/uapi/errno.ts";
import {
  HDR_CMD_DEPTH,
  HDR_EXHAUSTED,
  HDR_FAULT_CODE,
  HDR_FLAGS,
  HDR_FLAG_FREED,
  HDR_FLAG_LOG,
  HDR_OPEN_MIGRATION,
  HDR_XBUF,
} from "../../assembly/abi/header.ts";
import { POOL_CAPACITY, POOL_COUNT } from "../../assembly/abi/pool.ts";
import { FAULT_MIGRATION } from "../../assembly/uapi/vm.ts";
import { capacityName, type HmmSettings } from "./config.ts";
import type { CoreExports } from "./core.ts";
import { badRange, badType, EDEADLK, HmmError, type HmmErrorFields } from "./errors.ts";
import type { EventLog } from "./events.ts";
import type { Forward } from "./forward.ts";
import type { Words } from "./host.ts";
import type { Memory } from "./memory.ts";
import { RESOURCE_NAMES } from "./names.ts";
import { Owners } from "./owners.ts";
import type {
  AddressSpace,
  ArenaArray,
  Closable,
  DeviceMemory,
  FaultRequest,
  OpenDeviceTable,
  OpenMigration,
} from "./registry.ts";

const NOTHING = 0xffffffff;
/** HDR_FLAGS: what drivers and listeners may have to hear of when an API call ends. */
const NEWS = HDR_FLAG_FREED | HDR_FLAG_LOG;

/** The arrays of a migration: src begins at `address`, and dst follows it. */
export interface MigrationArrays {
  readonly address: number;
  readonly src: Words;
  readonly dst: Words;
}

const contexts = new WeakMap<object, Context>();

/** Returns the context of an Hmm. Throws TypeError for any other value. */
export function contextOf(op: string, hmm: unknown, argument = "hmm", expected = "an Hmm"): Context {
  const ctx = typeof hmm === "object" && hmm !== null ? contexts.get(hmm) : undefined;
  if (ctx === undefined) throw badType(op, argument, expected, hmm);
  return ctx;
}

/**
 * What the objects of one engine share: the core, its memory, and the registries of the objects that are
 * open. The context knows those objects by the interfaces of registry.ts; each registers itself when it is
 * made.
 */
export class Context {
  /** How many callbacks of drivers are running, nested. */
  depth = 0;
  /** Who looks at the step points of operations, STEP_*. It must neither throw nor change anything. */
  onStep: ((point: number) => void) | null = null;
  /** How many of them are invalidation callbacks. */
  invalidating = 0;
  /** Device faults that drivers are serving, innermost last. */
  readonly faults: FaultRequest[] = [];
  /** Open address spaces, by id. */
  readonly mms = new Map<number, AddressSpace>();
  /** Memory cgroups that belong to this engine, by id. */
  readonly memcgs = new Map<number, Closable>();
  /** Devices' memories, by zone. Only listDevmem changes it. */
  readonly devmems = new Map<number, DeviceMemory>();
  /** Registered mirrors, oldest first. */
  readonly mirrors = new Set<object>();
  /** Open interval notifiers, oldest first. */
  readonly notifiers = new Set<object>();
  /** Open migrations. The last is mostly the one that was begun last. */
  readonly migrations: OpenMigration[] = [];
  /** Open device tables, by id. */
  readonly deviceTables = new Map<number, OpenDeviceTable>();
  /** Files that a handle holds, by id. */
  readonly files = new Map<number, Closable>();
  /** Open arrays in the arena. */
  readonly arrays = new Set<ArenaArray>();
  readonly owners = new Owners();
  /** Device faults that a driver is serving asynchronously, by pfn. */
  readonly asyncFaults = new Map<number, Promise<void>>();
  /** The counters of default ids. */
  readonly ids = { mirror: 0, devmem: 0, notifier: 0, table: 0 };
  /** The ids of registered mirrors, devices' memories and open notifiers. */
  readonly taken = { mirror: new Set<string>(), devmem: new Set<string>(), notifier: new Set<string>() };
  #listed: readonly DeviceMemory[] = [];
  /** What the last fault callback threw: the cause of the error that the access ends with. */
  faultCause: unknown = undefined;
  /**
   * What the last fault callback did that made the access fail: "answered VM_FAULT_OOM"; empty if none did.
   */
  faultBlame = "";
  readonly #errors: unknown[] = [];
  readonly #migrationArrays: MigrationArrays[] = [];
  #settling = false;

  readonly hmm: Forward["Hmm"];
  readonly core: CoreExports;
  readonly mem: Memory;
  readonly settings: HmmSettings;
  readonly log: EventLog;

  constructor(hmm: Forward["Hmm"], core: CoreExports, mem: Memory, settings: HmmSettings, log: EventLog) {
    contexts.set(hmm, this);
    this.hmm = hmm;
    this.core = core;
    this.mem = mem;
    this.settings = settings;
    this.log = log;
    mem.setHeader(HDR_EXHAUSTED, NOTHING);
  }

  /**
   * Ends an API call. A negative answer becomes an HmmError with `fields`. At the end of the outermost call,
   * freed device pages are reported, the event log is delivered, and what notifier callbacks threw is thrown.
   * Returns the answer.
   */
  finish(op: string, answer: number, fields?: HmmErrorFields): number {
    if (answer >= 0) {
      this.settle();
      return answer;
    }
    return this.abort(this.error(op, -answer, undefined, fields));
  }

  /** Ends an API call that failed. Throws `error`; if callbacks threw too, an AggregateError of all. */
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

  /** Makes the HmmError for a positive errno, with what the core reports about it. */
  error(op: string, errno: number, detail?: string, fields: HmmErrorFields = {}): HmmError {
    const more = { cause: this.faultCause, ...fields };
    if (errno === EAGAIN) more.migration = this.metMigration()?.id;
    this.forgetFault();
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

  /**
   * The open migration whose page the last operation met (-EAGAIN); undefined if the page is locked for
   * another reason.
   */
  metMigration(): OpenMigration | undefined {
    if (this.mem.header(HDR_FAULT_CODE) !== FAULT_MIGRATION) return undefined;
    const id = this.mem.header(HDR_OPEN_MIGRATION);
    return this.migrations.find((migration) => migration.id === id);
  }

  /**
   * What ran out at the last -ENOMEM, as in "vmas (capacity 64), which config.capacities.vmas sets"; empty
   * if nothing did.
   */
  exhausted(): string {
    const resource = this.mem.header(HDR_EXHAUSTED);
    const name = RESOURCE_NAMES[resource] ?? "";
    if (resource >= POOL_COUNT) return name;
    const capacity = this.mem.pool(resource, POOL_CAPACITY);
    return `${name} (capacity ${capacity}), which config.capacities.${capacityName(resource)} sets`;
  }

  /** The last fault callback is no longer the cause of anything. */
  forgetFault(): void {
    this.faultCause = undefined;
    this.faultBlame = "";
  }

  /**
   * Returns the id of a new object: `given`, or by default "mirror1", "mirror2", …, the next that is free.
   * The object adds it to {@link taken}. Throws RangeError if an open object of the kind has it already:
   * Hmm.restore() could not tell the two apart.
   */
  newId(op: string, kind: keyof Context["taken"], given: string | undefined): string {
    const taken = this.taken[kind];
    if (given !== undefined && taken.has(given))
      throw badRange(op, "id", `one that no other ${kind} of the engine has`, given);
    let id = given;
    while (id === undefined || taken.has(id)) id = `${kind}${++this.ids[kind]}`;
    return id;
  }

  /** Adds a device's memory to the registry, or removes it. */
  listDevmem(devmem: DeviceMemory, present: boolean): void {
    if (present) this.devmems.set(devmem.zone, devmem);
    else this.devmems.delete(devmem.zone);
    if (present) this.taken.devmem.add(devmem.id);
    else this.taken.devmem.delete(devmem.id);
    this.#listed = [...this.devmems.values()];
  }

  /**
   * Keeps what an invalidation or free callback threw: the operation goes on, and its API call throws it at
   * the end.
   */
  keep(error: unknown): void {
    this.#errors.push(error);
  }

  /** At the end of the outermost call: informs drivers and listeners, then throws what callbacks threw. */
  settle(): void {
    this.mem.setHeader(HDR_EXHAUSTED, NOTHING);
    if (this.depth !== 0 || this.#settling) return;
    if ((this.mem.header(HDR_FLAGS) & NEWS) !== 0) this.#deliver();
    this.forgetFault();
    if (this.#errors.length > 0) this.#throwKept();
  }

  /** Drivers hear of freed pages, and listeners of what was logged. */
  #deliver(): void {
    this.#settling = true;
    this.mem.setHeader(HDR_FLAGS, this.mem.header(HDR_FLAGS) & ~HDR_FLAG_FREED);
    try {
      for (let i = 0; i < this.#listed.length; i++) this.#listed[i].deliverFreed();
      this.log.deliver();
    } finally {
      this.#settling = false;
    }
  }

  #throwKept(): never {
    const errors = this.#errors.splice(0);
    if (errors.length === 1) throw errors[0];
    throw new AggregateError(errors, `${errors.length} callbacks threw`);
  }

  /**
   * Returns the exchange buffer's address, for n bytes, and a function to call when the caller is done with
   * it: an operation that runs inside another one's callback gives the outer one's bytes back.
   */
  exchange(n: number): { address: number; restore: () => void } {
    const address = this.mem.header(HDR_XBUF);
    if (this.depth === 0) return { address, restore: nothing };
    const saved = this.mem.bytes.slice(address, address + n);
    return { address, restore: () => this.mem.bytes.set(saved, address) };
  }

  /** Allocates zeroed bytes from the arena, 8-byte aligned. The caller frees them. Throws HmmError ENOMEM. */
  alloc(op: string, bytes: number): number {
    return this.#allocated(op, this.core.arenaAlloc(bytes));
  }

  /**
   * Returns the arrays, of n words each, of migration `id`. Making a view costs more than most calls do, so
   * the latest arrays of each id are kept: the next migration often has the same id and the same place in the
   * arena.
   */
  migrationArrays(id: number, address: number, n: number): MigrationArrays {
    const kept = this.#migrationArrays[id];
    if (kept !== undefined && kept.address === address && kept.src.length === n) return kept;
    const made = { address, src: this.mem.wordsAt(address, n), dst: this.mem.wordsAt(address + 4 * n, n) };
    this.#migrationArrays[id] = made;
    return made;
  }

  /**
   * Allocates bytes as {@link alloc} does, in the core's own part of the arena, where no array of a driver
   * has ever lain: a driver that writes to an array that it has given back changes nothing there.
   */
  allocOwn(op: string, bytes: number): number {
    return this.#allocated(op, this.core.arenaAllocOwn(bytes));
  }

  #allocated(op: string, answer: number): number {
    if (answer === 0) throw this.error(op, ENOMEM, "arena (config.arena)");
    return answer >>> 0;
  }

  /** Runs `body` with n bytes of {@link allocOwn}. Throws HmmError ENOMEM. */
  withScratch<T>(op: string, bytes: number, body: (address: number) => T): T {
    const address = this.allocOwn(op, bytes);
    try {
      return body(address);
    } finally {
      this.core.arenaFree(address);
    }
  }

  /**
   * Refuses an operation that changes mappings inside an invalidation callback: a walk over them may be
   * running.
   */
  demandNoInvalidation(op: string): void {
    if (this.invalidating === 0) return;
    throw new HmmError(EDEADLK, op, "would deadlock: called from a notifier's callback");
  }

  /** Refuses an operation that must not happen inside a driver's callback. */
  demandOutermost(op: string): void {
    this.core.demandWhole();
    if (this.depth !== 0 || this.mem.header(HDR_CMD_DEPTH) !== 0) {
      throw new TypeError(`${op}: must not be called from a driver's callback`);
    }
  }

  /**
   * Returns the number of an owner: of any value, of a HmmDevmem, or of an object that has one as its
   * `devmem`.
   */
  ownerNumber(owner: unknown): number {
    if (typeof owner !== "object" || owner === null) return this.owners.number(owner);
    const candidate = (owner as { devmem?: unknown }).devmem ?? owner;
    const zone = (candidate as { zone?: unknown }).zone;
    const devmem = typeof zone === "number" ? this.devmems.get(zone) : undefined;
    return devmem !== undefined && devmem === candidate ? devmem.ownerNumber : this.owners.number(owner);
  }
}

function nothing(): void {
  // No outer operation uses the exchange buffer: nothing to restore.
}
