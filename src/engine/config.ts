import { ENOMEM, EINVAL } from "../../assembly/uapi/errno.ts";
import { PAGE_SIZE, PMD_PAGES, PMD_SIZE } from "../../assembly/uapi/page.ts";
import {
  BOOT_ARENA_BYTES,
  BOOT_CAPACITY,
  BOOT_DATA,
  BOOT_DEVICE_FRAMES,
  BOOT_HUGETLB_PAGES,
  BOOT_LINUX,
  BOOT_LOG_ENTRIES,
  BOOT_SWAP_FRAMES,
  BOOT_SYSTEM_FRAMES,
  LINUX_6_12,
  LINUX_7_3,
} from "../../assembly/abi/boot.ts";
import { BOOT_CONFIG, HEADER } from "../../assembly/abi/header.ts";
import {
  RESOURCE_ANON_VMA,
  RESOURCE_AVC,
  RESOURCE_DEVICE_TABLE,
  RESOURCE_FILE,
  RESOURCE_KSM_ITEM,
  RESOURCE_KSM_NODE,
  RESOURCE_MEMCG,
  RESOURCE_MIGRATION,
  RESOURCE_MM,
  RESOURCE_NOTIFIER,
  RESOURCE_PAGE_TABLE,
  RESOURCE_VMA,
} from "../../assembly/abi/pool.ts";
import { RESERVED_FRAMES } from "../../assembly/abi/frame.ts";
import type { CoreExports } from "./core.ts";
import { badRange, checkInteger, checkOptions, HmmError } from "./errors.ts";
import type { WasmModule, WasmSource } from "./host.ts";
import { Memory } from "./memory.ts";
import { checkModule } from "./wasm.ts";

/**
 * How many objects of each kind there may be at a time. Memory, in the defaults, is system and device memory;
 * `hmm.config` has the numbers.
 */
export interface HmmCapacities {
  /** Address spaces. Default 1024. */
  mms?: number | undefined;
  /** Mappings, of all address spaces together. Default 65,530, which Linux allows one process. */
  vmas?: number | undefined;
  /**
   * anon_vmas, one for each group of processes that share anonymous memory. Default 65,535, the most
   * possible.
   */
  anonVmas?: number | undefined;
  /** Links between mappings and anon_vmas. Default 131,072. */
  anonVmaLinks?: number | undefined;
  /**
   * Page tables, of address spaces, files and device tables together. Default: those of address spaces count
   * as system memory, as in Linux, and there is one for each page of it, and 2048 + 2 for each MiB of memory;
   * fewer where the engine would not fit 4 GiB of linear memory. A number is a pool of its own, beside system
   * memory.
   */
  pageTables?: number | undefined;
  /** Mirrors and interval notifiers together. Default 256 + 2 for each MiB of memory. */
  notifiers?: number | undefined;
  /** Memory cgroups. Default 255, the most possible. */
  memcgs?: number | undefined;
  /** Open migrations. Default 64. */
  migrations?: number | undefined;
  /** Device tables. Default 64. */
  deviceTables?: number | undefined;
  /** Files, including the file of each shared anonymous mapping. Default 1024. */
  files?: number | undefined;
  /** Pages that KSM has merged. Default 1 + a quarter of the frames of system memory that have bytes. */
  ksmPages?: number | undefined;
  /** Addresses that KSM looks at. Default 1 + the frames of system memory that have bytes. */
  ksmAddresses?: number | undefined;
}

/** A kernel whose answers the engine gives; docs/linux.md lists what the two do differently. */
export type LinuxVersion = "6.12" | "7.3";

/** What an engine is made with. All memory is allocated at once and never grows. */
export interface HmmConfig {
  /** Bytes of RAM frames. Default 256 MiB. */
  systemMemory?: number | undefined;
  /** Bytes of device frames, shared out by hmmDevmemAdd. Default 256 MiB. */
  deviceMemory?: number | undefined;
  /** Bytes of swap space, for MADV_PAGEOUT. Default 0: none. */
  swap?: number | undefined;
  /**
   * Bytes of systemMemory that are reserved for hugetlb pages (MAP_HUGETLB), rounded up to 2 MiB; at most
   * systemMemory without its first 2 MiB. Default 0: none.
   */
  hugetlb?: number | undefined;
  /**
   * "data": frames have bytes. "metadata": they have none, for simulations larger than memory. Default
   * "data".
   */
  backing?: "data" | "metadata" | undefined;
  /** The kernel whose rules the engine follows. Default "7.3". */
  linux?: LinuxVersion | undefined;
  capacities?: HmmCapacities | undefined;
  /** Bytes for pfn arrays and open migrations. Default: follows from the memory sizes. */
  arena?: number | undefined;
  /** How many records the event log holds between deliveries: a power of two. Default 4096. */
  eventLog?: number | undefined;
  /**
   * Where the core (heteromem/hmm.wasm) comes from: a compiled module, its bytes, or, for `Hmm.create`, a URL
   * or a Response of fetch(). Default: the package's own copy.
   */
  wasm?: WasmSource | undefined;
  /** Another name of `wasm`, for a compiled module. */
  module?: WasmModule | undefined;
}

/** A configuration with every default filled in. */
export interface HmmSettings {
  readonly systemMemory: number;
  readonly deviceMemory: number;
  readonly swap: number;
  readonly hugetlb: number;
  readonly backing: "data" | "metadata";
  readonly linux: LinuxVersion;
  readonly capacities: { readonly [K in keyof HmmCapacities]-?: number };
  readonly arena: number;
  readonly eventLog: number;
}

const DEFAULT_MEMORY = 2 ** 28;
const DEFAULT_LOG = 4096;
/** Bytes of the frames that the pfn words can number. */
const MEMORY_MAX = 2 ** 39;

const CAPACITY_POOLS: readonly (readonly [keyof HmmCapacities, number])[] = [
  ["mms", RESOURCE_MM],
  ["vmas", RESOURCE_VMA],
  ["anonVmas", RESOURCE_ANON_VMA],
  ["anonVmaLinks", RESOURCE_AVC],
  ["pageTables", RESOURCE_PAGE_TABLE],
  ["notifiers", RESOURCE_NOTIFIER],
  ["memcgs", RESOURCE_MEMCG],
  ["migrations", RESOURCE_MIGRATION],
  ["deviceTables", RESOURCE_DEVICE_TABLE],
  ["files", RESOURCE_FILE],
  ["ksmPages", RESOURCE_KSM_NODE],
  ["ksmAddresses", RESOURCE_KSM_ITEM],
];

/** @internal Returns the name under which the configuration has the capacity of a pool, RESOURCE_*. */
export function capacityName(resource: number): string {
  return CAPACITY_POOLS.find(([, pool]) => pool === resource)![0];
}

/** The largest numbers that the bits of a folio can hold. */
const MOST: HmmCapacities = { anonVmas: 0xffff, memcgs: 0xff, files: 0xffff };

const OP = "Hmm.create";
const KNOWN = [
  "systemMemory",
  "deviceMemory",
  "swap",
  "hugetlb",
  "backing",
  "linux",
  "capacities",
  "arena",
  "eventLog",
  "wasm",
  "module",
];

function optional(
  object: Record<string, unknown>,
  name: string,
  min: number,
  max: number,
  usual: number,
): number {
  return object[name] === undefined ? usual : checkInteger(OP, name, object[name], min, max);
}

function refuseUnknown(object: object, known: readonly string[], what: string): void {
  const unknown = Object.keys(object).find((name) => !known.includes(name));
  if (unknown !== undefined) throw badRange(OP, what, `made of ${known.join(", ")}`, unknown);
}

/** @internal Checks a configuration. In the result 0 stands for a value that the core chooses. */
export function checkConfig(config: HmmConfig): HmmSettings {
  checkOptions(OP, "config", config);
  if (config.module !== undefined) checkModule(config.module);
  if (config.wasm !== undefined && config.module !== undefined)
    throw badRange(OP, "module", "left out where wasm is given", config.module);
  refuseUnknown(config, KNOWN, "config");
  const given = config as Record<string, unknown>;
  const { backing = "data", linux = "7.3", capacities = {} } = config;
  if (backing !== "data" && backing !== "metadata")
    throw badRange(OP, "backing", '"data" or "metadata"', backing);
  if (linux !== "6.12" && linux !== "7.3") throw badRange(OP, "linux", '"6.12" or "7.3"', linux);
  checkOptions(OP, "capacities", capacities);
  refuseUnknown(
    capacities,
    CAPACITY_POOLS.map(([name]) => name),
    "capacities",
  );
  const sizes: Record<string, number> = {};
  for (const [name] of CAPACITY_POOLS)
    sizes[name] = optional(capacities as Record<string, unknown>, name, 1, MOST[name] ?? 2 ** 28, 0);
  const eventLog = optional(given, "eventLog", 1, 2 ** 26, DEFAULT_LOG);
  if ((eventLog & (eventLog - 1)) !== 0) throw badRange(OP, "eventLog", "a power of two", eventLog);
  const systemMemory = optional(given, "systemMemory", PAGE_SIZE, MEMORY_MAX, DEFAULT_MEMORY);
  return {
    systemMemory,
    deviceMemory: optional(given, "deviceMemory", 0, MEMORY_MAX, DEFAULT_MEMORY),
    swap: optional(given, "swap", 0, MEMORY_MAX, 0),
    hugetlb: optional(given, "hugetlb", 0, mostHugetlb(systemMemory), 0),
    backing,
    linux,
    capacities: sizes as unknown as Required<HmmCapacities>,
    arena: optional(given, "arena", 4096, 2 ** 32, 0),
    eventLog,
  };
}

/**
 * The bytes that hugetlb pages may have: whole blocks of 2 MiB, without the first one, which contains the
 * zero page.
 */
function mostHugetlb(systemMemory: number): number {
  return (
    Math.max(0, Math.floor((Math.ceil(systemMemory / PAGE_SIZE) + RESERVED_FRAMES) / PMD_PAGES) - 1) *
    PMD_SIZE
  );
}

/**
 * @internal Writes the boot configuration, lays memory out and boots. Returns the memory, and the settings
 * with all defaults. Throws HmmError ENOMEM.
 */
export function boot(core: CoreExports, settings: HmmSettings): { mem: Memory; settings: HmmSettings } {
  const base = HEADER + BOOT_CONFIG;
  growTo(core.memory, base + 4096);
  const view = new DataView(core.memory.buffer);
  const set = (offset: number, value: number): void => view.setUint32(base + offset, value, true);
  set(BOOT_DATA, settings.backing === "data" ? 1 : 0);
  set(BOOT_SYSTEM_FRAMES, Math.ceil(settings.systemMemory / PAGE_SIZE));
  set(BOOT_DEVICE_FRAMES, Math.ceil(settings.deviceMemory / PAGE_SIZE));
  set(BOOT_SWAP_FRAMES, Math.ceil(settings.swap / PAGE_SIZE));
  set(BOOT_HUGETLB_PAGES, Math.ceil(settings.hugetlb / PMD_SIZE));
  set(BOOT_LINUX, settings.linux === "7.3" ? LINUX_7_3 : LINUX_6_12);
  set(BOOT_LOG_ENTRIES, settings.eventLog);
  set(BOOT_ARENA_BYTES, settings.arena);
  for (const [name, pool] of CAPACITY_POOLS) set(BOOT_CAPACITY + 4 * pool, settings.capacities[name]);
  const bytes = core.layoutBytes();
  if (bytes < 0) throw tooLarge(-bytes);
  growTo(core.memory, bytes);
  const answer = core.boot();
  if (answer < 0) throw new HmmError(-answer, OP, "the core does not boot with this configuration");
  const mem = new Memory(core.memory);
  const capacities: Record<string, number> = {};
  for (const [name, pool] of CAPACITY_POOLS) capacities[name] = mem.u32(base + BOOT_CAPACITY + 4 * pool);
  return {
    mem,
    settings: {
      ...settings,
      systemMemory: mem.u32(base + BOOT_SYSTEM_FRAMES) * PAGE_SIZE,
      deviceMemory: mem.u32(base + BOOT_DEVICE_FRAMES) * PAGE_SIZE,
      swap: mem.u32(base + BOOT_SWAP_FRAMES) * PAGE_SIZE,
      hugetlb: mem.u32(base + BOOT_HUGETLB_PAGES) * PMD_SIZE,
      arena: mem.u32(base + BOOT_ARENA_BYTES),
      eventLog: mem.u32(base + BOOT_LOG_ENTRIES),
      capacities: capacities as unknown as Required<HmmCapacities>,
    },
  };
}

function tooLarge(errno: number): Error {
  const detail = "frames, tables and arena need more than 4 GiB of linear memory";
  return errno === EINVAL || errno === ENOMEM
    ? new HmmError(ENOMEM, OP, detail)
    : new HmmError(errno, OP, "");
}

const WASM_PAGE = 65536;

/** @internal Grows a memory to at least `bytes`. Throws HmmError ENOMEM if the host does not have them. */
export function growTo(memory: WebAssembly.Memory, bytes: number): void {
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / WASM_PAGE);
  if (missing <= 0) return;
  try {
    memory.grow(missing);
  } catch (cause) {
    throw new HmmError(ENOMEM, OP, `the host gives no ${bytes} bytes of WebAssembly memory`, { cause });
  }
}
