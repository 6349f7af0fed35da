/** Operations on files in the records' form. */
import type { Mapped } from "./calls.ts";
import { ModelFile } from "./file.ts";
import { Content, PAGE } from "./page.ts";
import type { Answer, Arg } from "./replay.ts";
import type { World } from "./world.ts";

/** The byte of a new disk file's first page; each following page has one more. */
const DISK_CONTENT = 0xa0;
const UNTOUCHED = 238;

/** Returns the name of a file; tmpfs files and disk files have separate numbers. */
const named = (kind: Arg, number: Arg): string =>
  `${String(kind).endsWith("shm") ? "shm" : "disk"} ${number}`;

/**
 * Returns the backing that mmap's arguments from the fourth name: a kind, a file's number, an offset in
 * pages.
 */
export function mappedBy(world: World, args: readonly Arg[]): Mapped {
  const kind = String(args[3]);
  if (kind === "anon" || kind === "sanon") return { kind };
  if (kind === "huge") return { kind: "hugetlb" };
  if (kind.endsWith("dev")) return { kind: "mixed", copied: kind.startsWith("p") };
  if (kind.endsWith("devmem")) return { kind: "pfn", copied: kind.startsWith("p") };
  const file = world.files.get(named(kind, args[4]));
  if (!file) throw new Error(`model: no such mapping: ${args.join(" ")}`);
  return { kind: kind.startsWith("p") ? "private" : "shared", file, pgoff: Number(args[5]) };
}

export function fileOp(world: World, op: string, args: readonly Arg[], num: number[]): Answer | undefined {
  const name = named(args[0], args[1]);
  if (op === "fa") {
    world.faultAround = 2 ** Math.floor(Math.log2(Math.max(num[0], PAGE) / PAGE));
    return { ret: 0 };
  }
  if (op === "file") return { ret: create(world, name, num[2]) };
  const file = world.files.get(name)!;
  switch (op) {
    case "fread": {
      const bytes = file.read(num[2] * PAGE, PAGE);
      const buffer = new Uint8Array(PAGE).fill(UNTOUCHED);
      buffer.set(bytes);
      return { ret: bytes.length, data: [digestOf(buffer)] };
    }
    case "fwrite": {
      const { ret } = file.write(num[2] * PAGE, PAGE, () => num[3], true);
      return { ret: ret === 0 ? PAGE : ret };
    }
    case "ftrunc":
      return { ret: file.truncate(num[2] * PAGE) };
    case "fpunch":
      return { ret: file.punch(num[2] * PAGE, num[3] * PAGE) };
  }
  return undefined;
}

function create(world: World, name: string, npages: number): number {
  world.files.get(name)?.close();
  const file = new ModelFile(world, name.startsWith("shm") ? "shm" : "disk", npages * PAGE);
  world.files.set(name, file);
  if (file.kind === "shm") return 0;
  const { ret } = file.write(0, npages * PAGE, (i) => DISK_CONTENT + Math.floor(i / PAGE), true);
  for (const page of file.pages.values()) page.dirty = false;
  return ret;
}

function digestOf(bytes: Uint8Array): number | string {
  const content = new Content();
  bytes.forEach((byte, i) => content.setByte(i, byte));
  return content.digest();
}
