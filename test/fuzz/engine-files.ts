/** The engine's side of the operations on files, and on mappings of files and of drivers. */
import {
  HmmError,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_HUGETLB,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  PAGE_SIZE,
  type HmmFile,
} from "../../src/index.ts";
import { num, page, protOf, retOf, type Args, type Perform } from "./engine-args.ts";
import type { EngineSide } from "./engine-side.ts";
import { digest } from "./plan.ts";
import { fileName } from "./view.ts";

/** A driver's mappings by the records' word for them. */
const SPECIAL: Readonly<Record<string, "mixed" | "pfn">> = { dev: "mixed", devmem: "pfn" };

function fileOf(side: EngineSide, args: Args): HmmFile {
  const file = side.files.get(fileName(args));
  if (file === undefined) throw new Error(`there is no file ${fileName(args)}`);
  return file;
}

/** mmap a n prot kind [file page] [populate] */
const mmap: Perform = ({ mm }, args, side) => {
  const kind = String(args[3]);
  const sharing = kind === "anon" || kind === "huge" || kind.startsWith("p") ? MAP_PRIVATE : MAP_SHARED;
  const flags = MAP_FIXED | sharing | (args.at(-1) === "populate" ? MAP_POPULATE : 0);
  const place = { addr: page(args, 0), length: num(args, 1) * PAGE_SIZE, prot: protOf(args[2]) };
  const special = SPECIAL[kind.replace(/^p/, "")];
  if (special !== undefined) return { ret: retOf(() => mm.mmapSpecial(special, { ...place, flags })) };
  if (kind === "huge")
    return { ret: retOf(() => mm.mmap({ ...place, flags: flags | MAP_ANONYMOUS | MAP_HUGETLB })) };
  if (kind.endsWith("anon")) return { ret: retOf(() => mm.mmap({ ...place, flags: flags | MAP_ANONYMOUS })) };
  const file = fileOf(side, args.slice(3));
  return { ret: retOf(() => mm.mmap({ ...place, flags, file, offset: num(args, 5) * PAGE_SIZE })) };
};

/** Creates a file. An older file of this name stays where it is mapped. */
const create: Perform = (_process, args, side) => {
  const name = fileName(args);
  side.files.get(name)?.close();
  side.files.delete(name);
  const kind = args[0] === "shm" ? "shmem" : "disk";
  return { ret: retOf(() => side.files.set(name, side.hmm.createFile({ kind, bytes: num(args, 2) }))) };
};

const read: Perform = (_process, args, side) => ({
  data: digest(fileOf(side, args).read(num(args, 2), num(args, 3))),
});

/** Writes value + i to byte i. Charges the group, if any. */
const write: Perform = (_process, args, side) => {
  const bytes = Uint8Array.from({ length: num(args, 3) }, (_, i) => num(args, 4) + i);
  const options = num(args, 5) === 1 ? { memcg: side.memcg } : {};
  let done = bytes.length;
  const ret = retOf(() => {
    try {
      fileOf(side, args).write(num(args, 2), bytes, options);
    } catch (error) {
      if (error instanceof HmmError) done = error.done ?? -1;
      throw error;
    }
  });
  return { ret, done };
};

const close: Perform = (_process, args, side) => {
  fileOf(side, args).close();
  side.files.delete(fileName(args));
  return { ret: 0 };
};

export const FILE_OPERATIONS: readonly (readonly [string, Perform])[] = [
  ["mmap", mmap],
  ["file", create],
  ["fr", read],
  ["fw", write],
  ["ft", (_process, args, side) => ({ ret: retOf(() => fileOf(side, args).truncate(num(args, 2))) })],
  [
    "fp",
    (_process, args, side) => ({
      ret: retOf(() => fileOf(side, args).punchHole(num(args, 2), num(args, 3))),
    }),
  ],
  ["fc", close],
  [
    "fa",
    (_process, args, side) => {
      side.hmm.faultAround = num(args, 0) * PAGE_SIZE;
      return { ret: 0 };
    },
  ],
];
