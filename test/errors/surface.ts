/**
 * The package's public calls: functions, and the constructors, methods and accessors of classes, with every
 * parameter and every member of an options object.
 */
import { readFileSync } from "node:fs";
import { list, step, writeAtomic } from "../../tools/build-step.mjs";

/** Where the calls of each entry are kept. */
const KEPT = "build/test/surface.json";
const ENTRIES = ["src/index.ts", "src/dmirror.ts", "src/testing.ts"] as const;

/** A public call, with its key in the table of rows. */
export interface Callable {
  /** `name` of a function, `new Class`, `Class.static`, `Class#method`, `Class#get`, `Class#set=`. */
  key: string;
  /** Parameters, and `parameter.member` of options objects. */
  parameters: string[];
}

/**
 * Returns the calls of the entries. The compiler reads all of src for it, which takes two seconds; the calls
 * are kept in build/test until src changes.
 */
export async function surfaceOf(entries: readonly string[] = ENTRIES): Promise<Callable[]> {
  const sources = ["src", "assembly/uapi", "assembly/abi"].flatMap((folder) => list(folder, ".ts"));
  await step("surface", [...sources, "test/errors/read-surface.ts"], [KEPT], async () => {
    const { readSurface } = await import("./read-surface.ts");
    writeAtomic(KEPT, JSON.stringify(readSurface(ENTRIES)));
  });
  const surfaces = JSON.parse(readFileSync(KEPT, "utf8")) as Record<string, Callable[]>;
  const calls = new Map(entries.flatMap((entry) => surfaces[entry].map((call) => [call.key, call])));
  return [...calls.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}
