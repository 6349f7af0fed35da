/** Operations on mappings and files. */
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_HUGETLB,
  MAP_PRIVATE,
  MAP_SHARED,
  PAGE_SIZE,
  type Hmm,
  type HmmFile,
  type MmapArgs,
} from "../../src/index.ts";
import { bytes, num, page, protOf, retOf, type Arguments, type Perform } from "./arguments.ts";
import { encodePage, patternPages, UNTOUCHED } from "./codec.ts";
import type { Process } from "./process.ts";
import type { Answer } from "./records.ts";
import type { EngineWorld } from "./world.ts";

/** The byte of a new disk file's first page; each following page has one more. */
const DISK_CONTENT = 0xa0;

/** Returns the name of a file; tmpfs files and disk files have separate numbers. */
function fileName(args: Arguments): string {
  return `${args[0] === "shm" ? "shm" : "disk"} ${num(args, 1)}`;
}

function fileOf(world: EngineWorld, name: string): HmmFile {
  const file = world.files.get(name);
  if (file === undefined) throw new Error(`there is no file ${name}`);
  return file;
}

/** Mappings by the kind that mmap's fourth argument names. */
function kindOf(args: Arguments, world: EngineWorld): Pick<MmapArgs, "flags" | "file" | "offset"> {
  const kind = String(args[3]);
  switch (kind) {
    case "anon":
      return { flags: MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS };
    case "huge":
      return { flags: MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB };
    case "sanon":
      return { flags: MAP_FIXED | MAP_SHARED | MAP_ANONYMOUS };
    case "shm":
    case "pshm":
    case "file":
    case "pfile": {
      const name = fileName([kind.endsWith("shm") ? "shm" : "disk", num(args, 4)]);
      const flags = MAP_FIXED | (kind.startsWith("p") ? MAP_PRIVATE : MAP_SHARED);
      return { flags, file: fileOf(world, name), offset: bytes(args, 5) };
    }
    default:
      throw new Error(`mapping ${kind} is not built`);
  }
}

/** Mappings that drivers make, of the device's file and of physical memory. */
const SPECIAL: Record<string, "mixed" | "pfn"> = { dev: "mixed", devmem: "pfn" };

export function mmap({ mm }: Process, args: Arguments, world: EngineWorld): Answer {
  const special = SPECIAL[String(args[3])];
  if (special !== undefined) {
    const place = { addr: page(args, 0), length: bytes(args, 1), prot: protOf(args[2]) };
    return { ret: retOf(() => mm.mmapSpecial(special, { ...place, flags: MAP_FIXED | MAP_SHARED })) };
  }
  const what = kindOf(args, world);
  const place = { addr: page(args, 0), length: bytes(args, 1), prot: protOf(args[2]) };
  return { ret: retOf(() => mm.mmap({ ...place, ...what })) };
}

/** Creates a file in place of an older file of this name. Mappings of the older file stay. */
function create(_process: Process, args: Arguments, world: EngineWorld): Answer {
  const { hmm, memcg, files } = world;
  const name = fileName(args);
  const npages = num(args, 2);
  files.get(name)?.close();
  const file = hmm.createFile({ kind: args[0] === "shm" ? "shmem" : "disk", bytes: npages * PAGE_SIZE });
  files.set(name, file);
  if (file.kind === "disk" && npages > 0) {
    file.write(0, patternPages(npages, DISK_CONTENT), { memcg });
    sync(hmm, file);
  }
  return { ret: 0 };
}

/** Calls fsync, so that a new disk file is clean. */
function sync(hmm: Hmm, file: HmmFile): void {
  using mm = hmm.createMm();
  mm.msync(mm.mmap({ file, length: file.size }), file.size);
}

function read(_process: Process, args: Arguments, world: EngineWorld): Answer {
  const buffer = new Uint8Array(PAGE_SIZE).fill(UNTOUCHED);
  const ret = fileOf(world, fileName(args)).read(bytes(args, 2), buffer).length;
  return { ret, data: [encodePage(buffer)] };
}

function write(_process: Process, args: Arguments, world: EngineWorld): Answer {
  const { memcg } = world;
  const file = fileOf(world, fileName(args));
  const ret = retOf(() => file.write(bytes(args, 2), patternPages(1, num(args, 3)), { memcg }));
  return { ret: ret === 0 ? PAGE_SIZE : ret };
}

function truncate(_process: Process, args: Arguments, world: EngineWorld): Answer {
  return { ret: retOf(() => fileOf(world, fileName(args)).truncate(bytes(args, 2))) };
}

function punch(_process: Process, args: Arguments, world: EngineWorld): Answer {
  return { ret: retOf(() => fileOf(world, fileName(args)).punchHole(bytes(args, 2), bytes(args, 3))) };
}

/** The kernel rounds down to a power of two, at least one page, and refuses more than a page table. */
function faultAround(_process: Process, args: Arguments, { hmm }: EngineWorld): Answer {
  const wanted = Math.max(num(args, 0), PAGE_SIZE);
  return { ret: retOf(() => (hmm.faultAround = 2 ** Math.floor(Math.log2(wanted)))) };
}

/** Operations on files by name; msync is an operation on memory. */
export const FILE_OPERATIONS: readonly (readonly [string, Perform])[] = [
  ["file", create],
  ["fread", read],
  ["fwrite", write],
  ["ftrunc", truncate],
  ["fpunch", punch],
  ["fa", faultAround],
];
