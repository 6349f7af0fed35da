/** Arguments and reasons that several tables use. */
import { EINVAL, MmapSem, PAGE_SIZE } from "../../src/index.ts";
import { also, bag, ended, object, type Argument, type Given, type Wrong } from "./arguments.ts";
import type { World } from "./world.ts";

/** Four pages at the start of the main mapping. */
export const start: Given = (w) => w.addr;
export const end: Given = (w) => w.addr + 4 * PAGE_SIZE;

export const TWICE = "closing twice does nothing";
export const SAYS = "it says that it is closed";
export const OWNER = "any value can be an owner; one that owns nothing has no device pages";
export const NO_ARGUMENT = "it has no argument";

export const readLock = { mode: "read" as const, of: (w: World) => w.mm };

/** A wrong value for which the call returns an errno and does not throw. */
export const answers = (value: unknown, outcome = -EINVAL): Wrong => ({
  given: () => value,
  outcome,
  says: /./,
});

/** An open address space. */
export const mm: Argument = also(
  object((w) => w.mm, "an Mm"),
  ended((w) => w.closed.mm, /the mm is closed/),
);

/** Wrong ranges whose start and end are valid on their own. */
export const badRanges: [why: string, from: Given, to: Given][] = [
  ["an empty range", start, start],
  ["a range that ends before it starts", end, start],
  ["a range beyond the mapping", start, (w) => w.end + PAGE_SIZE],
  ["a range before the mapping", (w) => w.addr - PAGE_SIZE, end],
];

/** A guard that a call runs under. */
export const sem: Argument = also(
  object(() => undefined, "a guard that holds this mm's mmapSem for write", [], []),
  {
    given: () => new MmapSem().write(),
    outcome: "TypeError",
    says: /got another mm's one/,
    shows: "",
  },
);

/** The options of a call that changes mappings. */
export const held: Record<string, Argument> = { options: bag(true), "options.sem": sem };
