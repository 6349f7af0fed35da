/** Rows of migration, device memory, arrays and words. */
import { MIGRATE_PFN_VALID, migrateVmaSetup, PAGE_SIZE, PFN_MASK } from "../../src/index.ts";
import {
  type Argument,
  type Wrong,
  address,
  also,
  anything,
  bag,
  callback,
  ended,
  flag,
  integer,
  object,
  optional,
  pageAddress,
  text,
  u32,
  word,
  words,
} from "./arguments.ts";
import { answers, badRanges, end, mm, NO_ARGUMENT, OWNER, readLock, SAYS, start, TWICE } from "./common.ts";
import type { Refusal, Row, Table } from "./row.ts";
import { fromCallback } from "./rows-hmm.ts";
import { PAGES, type World } from "./world.ts";

const setupArgs = (path: string, none: Wrong[]): Record<string, Argument> => ({
  [`${path}.vma`]: also(
    object((w) => w.vma, "a Vma", none, []),
    ended((w) => w.closed.vma, /vma is stale/),
  ),
  [`${path}.start`]: address(start),
  [`${path}.end`]: integer(end, 0, 2 ** 48),
  [`${path}.owner`]: anything(undefined, OWNER),
  [`${path}.select`]: word(undefined),
  [`${path}.faultPage`]: u32(undefined),
});
const noVma: Wrong[] = [null, undefined].map((value) => ({
  given: () => value,
  outcome: "EINVAL",
  says: /a mapping that HMM handles/,
}));

const setupRefusals = badRanges.map(([why, from, to]): Refusal => ({
  why,
  outcome: "EINVAL",
  names: "start",
  says: /inside.*0x[0-9a-f]+/,
  call: (w) => migrateVmaSetup({ vma: w.vma, start: from(w) as number, end: to(w) as number }),
  core: true,
}));
const strangeFaultPage: Refusal = {
  why: "a fault page that nobody was given",
  outcome: "EINVAL",
  names: "faultPage",
  shows: "5",
  says: /fault callback/,
  call: (w) => migrateVmaSetup({ vma: w.vma, start: w.addr, end: w.end, faultPage: 5 }),
  core: true,
};

const hugeDevicePages: Refusal = {
  why: "huge device pages, which the engine's kernel does not have",
  outcome: "RangeError",
  names: "select",
  shows: "9",
  says: /linux: "7\.3"/,
  call: (w) => migrateVmaSetup({ vma: w.vma, start: w.addr, end: w.end, select: 9 }),
};

const callbacks = (names: string[]): Record<string, Argument> => ({
  ops: {
    right: () => undefined,
    wrongs: [
      answers(null),
      answers(undefined),
      ...[5, "ops", {}].map((value): Wrong => ({
        given: () => value,
        outcome: "TypeError",
        says: /must be a function/,
        names: "ops.allocAndCopy",
        shows: "undefined",
      })),
    ],
  },
  ...Object.fromEntries(names.map((name) => [`ops.${name}`, callback(() => () => undefined)])),
});

const legacyMigration: Row = {
  args: {
    ...callbacks(["allocAndCopy", "finalizeAndMap"]),
    call: bag(false),
    ...setupArgs("call", [answers(null), answers(undefined)]),
    "call.src": optional(words(() => new Uint32Array(4), 4)),
    "call.dst": optional(words(() => new Uint32Array(4), 4)),
    "call.priv": anything(undefined, "it is the driver's own"),
  },
  lock: readLock,
};

const migrations: Table = {
  migrateVmaSetup: {
    args: { args: bag(false), ...setupArgs("args", noVma) },
    lock: readLock,
    more: [...setupRefusals, strangeFaultPage, hugeDevicePages],
  },
  migrateVma: legacyMigration,
  migrateVmaAsync: legacyMigration,
  migrateDeviceRange: {
    args: {
      devmem: also(
        object((w) => w.devmem, "a HmmDevmem"),
        ended((w) => w.closed.devmem, /the devmem was removed/),
      ),
      first: integer((w: World) => w.devmem.pfnFirst, 512, 1023),
      n: integer(1, 1, 512),
    },
  },
  migrateDevicePfns: {
    args: {
      devmem: also(
        object((w) => w.devmem, "a HmmDevmem"),
        ended((w) => w.closed.devmem, /the devmem was removed/),
      ),
      pfns: also(
        object((w) => [w.devmem.pfnFirst], "an array of pages", [], [null, undefined]),
        {
          given: () => [],
          outcome: "RangeError",
          names: "pfns.length",
          shows: "0",
          says: /an integer from 1/,
        },
        ...[511, 1024, 512.5, NaN].map((page) => ({
          given: () => [512, page],
          outcome: "RangeError" as const,
          names: "pfns[1]",
          shows: String(page),
          says: /an integer from 512 to 1023/,
        })),
      ),
    },
  },
  ...Object.fromEntries(["src", "dst"].map((name): [string, Row] => [`Migration#${name}`, {}])),
  "Migration#closed": { afterClose: SAYS, nothing: NO_ARGUMENT },
  "Migration#reasons": { afterClose: "they are final then", nothing: NO_ARGUMENT },
  "Migration#result": { afterClose: "it is final then", nothing: NO_ARGUMENT },
  "Migration#ended": {
    afterClose: "it has settled then",
    nothing: NO_ARGUMENT,
    on: (w) => w.closed.migration,
  },
  "Migration#pages": {
    lock: { mode: "read", of: (w) => w.migrating },
    more: [
      {
        why: "a destination that is no page of the driver's",
        outcome: "EINVAL",
        names: "dst[1]",
        shows: /0x8000000[0-9a-f]$/,
        says: /locked page of yours/,
        core: true,
        call: (w) => {
          w.migration.dst[1] = (MIGRATE_PFN_VALID | w.pages.mapped) >>> 0;
          try {
            return w.migration.pages();
          } finally {
            w.migration.dst[1] = 0;
          }
        },
      },
      {
        why: "twice",
        outcome: "TypeError",
        names: "",
        says: /called twice/,
        call: (w) => {
          w.migration.pages();
          return w.migration.pages();
        },
        changes: "the first call is right",
      },
    ],
  },
  "Migration#finalize": { afterClose: TWICE, nothing: NO_ARGUMENT },
  "Migration#close": { afterClose: TWICE, nothing: NO_ARGUMENT },
};

const devmemArrays = { src: words((w) => w.pfns, 0), dst: words((w) => w.pfns, PAGES) };

const memories: Table = {
  hmmDevmemAdd: {
    args: {
      hmm: object((w) => w.hmm, "an Hmm"),
      ops: {
        right: () => undefined,
        wrongs: [5, "ops", {}, undefined, null].map((value) => ({
          given: () => value,
          outcome: "TypeError",
          says: /must be a function/,
          names: "ops.fault",
          shows: "",
        })),
      },
      "ops.free": callback(undefined),
      "ops.fault": callback(() => () => 0),
      "ops.faultAsync": callback(undefined),
      owner: {
        right: () => ({}),
        wrongs: [null, undefined].map((value) => ({
          given: () => value,
          outcome: "TypeError",
          says: /a value that is not null/,
        })),
      },
      size: also(integer(2 << 20, PAGE_SIZE, 2 ** 39), {
        given: () => 2 ** 38,
        outcome: "ENOMEM",
        says: /device memory/,
        names: "",
        shows: "",
        core: true,
      }),
      options: bag(true),
      "options.id": text(),
      "options.coherent": flag(),
    },
  },
  hmmDevmemRemove: {
    args: {
      devmem: also(
        object((w) => w.devmem, "a HmmDevmem", [], [undefined]),
        ended((w) => w.closed.devmem, /was removed/),
      ),
    },
    more: [fromCallback((w) => w.devmem.close())],
  },
  "HmmDevmem#device": { afterClose: "it is what it was", nothing: NO_ARGUMENT },
  "HmmDevmem#npages": { afterClose: "it is what it was", nothing: NO_ARGUMENT },
  "HmmDevmem#freePages": { afterClose: "none is left", nothing: NO_ARGUMENT },
  "HmmDevmem#usedPages": { afterClose: "none is left", nothing: NO_ARGUMENT },
  "HmmDevmem#removed": { afterClose: "it says that it was removed", nothing: NO_ARGUMENT },
  "HmmDevmem#allocPage": {},
  "HmmDevmem#allocPages": { args: devmemArrays },
  "HmmDevmem#close": { op: ["hmmDevmemRemove"], more: [fromCallback((w) => w.devmem.close())] },
};

const exclusive: Table = {
  makeDeviceExclusive: {
    args: { mm, addr: pageAddress(start), npages: integer(1, 1, 2 ** 27), owner: anything(undefined, OWNER) },
    lock: readLock,
  },
  "ExclusivePages#closed": { afterClose: SAYS, nothing: NO_ARGUMENT },
  "ExclusivePages#close": { afterClose: TWICE, nothing: NO_ARGUMENT },
  "ExclusivePages#lent": { afterClose: "it counts what was lent", nothing: NO_ARGUMENT },
  "ExclusivePages#reached": { afterClose: "it counts what was reached", nothing: NO_ARGUMENT },
};

const wordArgument = { word: word(0x80000005) };
const pageWord = integer(5, 0, PFN_MASK);

const others: Table = {
  "PfnArray#closed": { afterClose: SAYS, nothing: NO_ARGUMENT },
  "PfnArray#close": { afterClose: TWICE, nothing: NO_ARGUMENT },
  "AddressArray#closed": { afterClose: SAYS, nothing: NO_ARGUMENT },
  "AddressArray#close": { afterClose: TWICE, nothing: NO_ARGUMENT },
  hmmPfn: { args: { page: pageWord, flags: word(undefined) } },
  migratePfn: { args: { page: pageWord } },
  ...Object.fromEntries(
    ["hmmPfnToPage", "hmmPfnValid", "hmmPfnWritable", "hmmPfnToMapOrder", "migratePfnToPage"].map(
      (name): [string, Row] => [name, { args: wordArgument }],
    ),
  ),
};

export const migrateRows: Table = { ...migrations, ...memories, ...exclusive, ...others };
