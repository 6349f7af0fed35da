/** Random arguments of operations on files and of mappings. */
import { FILE_PAGES_MAX, FILES_MAX } from "./plan.ts";
import type { Random } from "./random.ts";
import type { View } from "./view.ts";

const PAGE = 4096;
/** Offsets in a page at which small writes, truncations and holes begin or end. */
const OFFSETS = [0, 0, 0, 1, 2048, 4095];

/** Returns mmap's arguments after the protection. */
export function mappedArgs(random: Random, view: View): (number | string)[] {
  const files = view.files();
  const populate = random.chance(0.05) ? ["populate"] : [];
  if (files.length > 0 && random.chance(0.5)) {
    const [kind, number] = random.pick(files).split(" ");
    const file = kind === "shm" ? "shm" : "file";
    const prefix = random.chance(0.4) ? "p" : "";
    return [`${prefix}${file}`, Number(number), random.pick([0, 0, 0, 1, 2, 5]), ...populate];
  }
  if (random.chance(0.05)) return [random.pick(["dev", "devmem", "pdev", "pdevmem"])];
  return [random.chance(0.1) ? "sanon" : "anon", ...populate];
}

/** Returns the arguments of an operation on a file: its kind and number, then bytes. */
export function fileArgs(random: Random, op: string, value: number): (number | string)[] {
  const kind = random.pick(["disk", "shm"]);
  const file = [kind, random.below(FILES_MAX)];
  const at = random.between(0, random.pick([3, 7, FILE_PAGES_MAX - 1])) * PAGE + random.pick(OFFSETS);
  const length = random.chance(0.5)
    ? random.pick([1, 2, PAGE])
    : random.between(1, 3) * PAGE + random.pick(OFFSETS);
  switch (op) {
    case "file":
      return [...file, random.chance(0.3) ? at : random.between(0, 8) * PAGE];
    case "fr":
      return [...file, at, length];
    case "fw":
      return [...file, at, length, value, random.chance(0.7) ? 1 : 0];
    case "ft":
      return [...file, at];
    case "fp":
      return [...file, at, length];
    default:
      return file;
  }
}
