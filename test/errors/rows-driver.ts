/** What drivers call: mirrors, notifiers, ranges, device memory, migration, device tables, arrays and words. */
import {
  HmmRange,
  hmmVmaAllocLockedPage,
  hmmVmaFault,
  hmmVmaGetPfns,
  hmmVmaRangeDone,
  MIGRATE_PFN_VALID,
  migrateVmaSetup,
  PAGE_SIZE,
  PFN_MASK,
  EINVAL,
  HmmMirror,
  hmmRangeFault,
  hmmRangeFaultAsync,
} from "../../src/index.ts";
import {
  address,
  also,
  anything,
  bag,
  bytes,
  callback,
  ended,
  flag,
  integer,
  object,
  pageAddress,
  rangeEnd,
  text,
  u32,
  words,
  type Argument,
  type Given,
  type Wrong,
} from "./arguments.ts";
import type { Refusal, Row, Table } from "./row.ts";
import { fromCallback, inCallback } from "./rows-hmm.ts";
import { PAGES, prepareMigrations, type World } from "./world.ts";

const start: Given = (w) => w.addr;
const end: Given = (w) => w.addr + 4 * PAGE_SIZE;
const TWICE = "closing twice does nothing";
const SAYS = "it says that it is closed";
const OWNER = "any value can be an owner; one that owns nothing has no device pages";
const readLock = { mode: "read" as const, of: (w: World) => w.mm };

const answers = (value: unknown, outcome = -EINVAL): Wrong => ({ given: () => value, outcome, says: /./ });

/** A mapping; null and undefined are answered with -EINVAL, as findVma() found nothing then. */
const vma: Argument = also(
  object((w) => w.vma, "a Vma", [answers(null), answers(undefined)], []),
  ended((w) => w.closed.vma, /vma is stale/),
);
const mm: Argument = also(
  object((w) => w.mm, "an Mm"),
  ended((w) => w.closed.mm, /the mm is closed/),
);

const range: Argument = object((w) => w.range, "a HmmRange");
const tracked: Refusal = {
  why: "a range that is tracked",
  outcome: "TypeError",
  names: "range",
  says: /tracked already/,
  call: () => undefined,
};

const pfnArgs: Record<string, Argument> = {
  vma,
  range,
  start: pageAddress(start),
  end: pageAddress(end),
  pfns: words((w) => w.pfns, 4),
};

/** A range is tracked while a call of it is refused. */
function withTracked(w: World, call: (range: HmmRange) => unknown): unknown {
  const range = new HmmRange();
  hmmVmaGetPfns(w.vma, range, w.addr, w.addr + PAGE_SIZE, w.pfns);
  w.pfns.fill(0);
  try {
    return call(range);
  } finally {
    hmmVmaRangeDone(w.vma, range);
  }
}

/** Ranges that no check of one argument can judge: the kernel answers -EINVAL. */
function legacyRefusals(call: (w: World, from: number, to: number, range?: HmmRange) => unknown): Refusal[] {
  const answer = (why: string, from: Given, to: Given): Refusal => ({
    why,
    outcome: -EINVAL,
    names: "",
    says: /./,
    call: (w) => call(w, from(w) as number, to(w) as number),
  });
  return [
    answer("an empty range", start, start),
    answer("a range that ends before it starts", end, start),
    answer("a range beyond the mapping", start, (w) => w.end + PAGE_SIZE),
    answer("a range before the mapping", (w) => w.addr - PAGE_SIZE, end),
    {
      ...tracked,
      call: (w) => withTracked(w, (range) => call(w, w.addr, w.addr + PAGE_SIZE, range)),
      core: true,
    },
  ];
}

const legacy: Table = {
  hmmVmaGetPfns: {
    args: pfnArgs,
    lock: readLock,
    more: legacyRefusals((w, from, to, range = new HmmRange()) =>
      hmmVmaGetPfns(w.vma, range, from, to, new Uint32Array(64)),
    ),
  },
  hmmVmaFault: {
    args: { ...pfnArgs, write: flag(false), block: flag(false) },
    lock: readLock,
    more: legacyRefusals((w, from, to, range = new HmmRange()) =>
      hmmVmaFault(w.vma, range, from, to, new Uint32Array(64), false, false),
    ),
  },
  hmmVmaRangeDone: {
    args: {
      vma: also(
        object((w) => w.vma, "a Vma", [], [undefined]),
        {
          given: (w) => w.migrating.findVma(w.migratingAddr),
          outcome: "TypeError",
          says: /of another mm/,
          shows: "",
        },
      ),
      range: also(range, {
        given: () => new HmmRange(),
        outcome: "TypeError",
        says: /not tracked/,
        shows: "",
      }),
    },
    prepare: (w) => {
      using _sem = w.mm.mmapSem.read();
      hmmVmaGetPfns(w.vma, w.range, w.addr, w.addr + PAGE_SIZE, w.pfns);
    },
    lock: readLock,
  },
  hmmVmaAllocLockedPage: {
    args: {
      vma: also(
        object((w) => w.vma, "a Vma", [answers(null, 0)], [undefined]),
        ended((w) => w.closed.vma, /vma is stale/),
      ),
      addr: address(start),
    },
    more: [
      {
        why: "an address outside of the mapping",
        outcome: 0,
        names: "",
        says: /./,
        call: (w) => hmmVmaAllocLockedPage(w.vma, w.end),
      },
    ],
  },
  "new HmmRange": { args: { options: bag(true), "options.owner": anything(undefined, OWNER) } },
  "HmmRange#tracked": { nothing: "it has no argument" },
};

const mirrorArgument: Argument = object(
  (w) => w.closed.mirror,
  "a HmmMirror",
  [answers(null), answers(undefined)],
  [],
);
const mmArgument: Argument = also(
  object((w) => w.mm, "an Mm", [answers(null), answers(undefined)], []),
  ended((w) => w.closed.mm, /the mm is closed/),
);
const registration: Pick<Row, "args" | "more"> = {
  args: {
    mirror: also(
      mirrorArgument,
      ended((w) => w.mirror, /registered already/),
      {
        given: () => new HmmMirror({}),
        outcome: "TypeError",
        says: /must be a function/,
        names: "mirror.ops.update",
        shows: "undefined",
      },
      { given: () => new HmmMirror(null as never), outcome: -EINVAL, says: /./ },
    ),
    mm: mmArgument,
  },
};

const LATER = "hmmMirrorRegister looks at it, as the kernel does";

const mirrors: Table = {
  "new HmmMirror": {
    args: {
      ops: anything(undefined, LATER),
      "ops.update": anything(() => undefined, LATER),
      "ops.syncCpuDevicePagetables": anything(undefined, LATER),
      "ops.release": anything(undefined, LATER),
      options: bag(true),
      "options.id": text(),
    },
  },
  "HmmMirror#registered": { afterClose: "it says that it is not registered", nothing: "it has no argument" },
  "HmmMirror#close": { afterClose: TWICE, nothing: "it has no argument" },
  hmmMirrorRegister: { ...registration, takes: "write" },
  hmmMirrorRegisterLocked: { ...registration, lock: { mode: "write", of: (w) => w.mm } },
  hmmMirrorUnregister: { args: { mirror: object((w) => w.mirror, "a HmmMirror") } },
};

const span: Argument = {
  ...integer(PAGE_SIZE, 0, 2 ** 64, /must be a number of bytes/),
  wrongs: [
    ...integer(PAGE_SIZE, 0, 2 ** 64, /must be a number of bytes/).wrongs.filter(
      ({ given }) => given({} as World) !== 2 ** 64 + 1 && given({} as World) !== Infinity,
    ),
    ...[0, 2 ** 65, Infinity].map((value): Wrong => ({
      given: () => value,
      outcome: "EOVERFLOW",
      says: /empty or wraps/,
    })),
  ],
};

const notifiers: Table = {
  "new MmuIntervalNotifier": {
    args: {
      mm,
      start: address(start),
      length: span,
      ops: {
        ...bag(false),
        wrongs: [5, "ops", true, undefined, null].map((value) => ({
          given: () => value,
          outcome: "TypeError",
          says: /must be a function/,
          names: "ops.invalidate",
          shows: "",
        })),
      },
      "ops.invalidate": callback(() => () => undefined),
      options: bag(true),
      "options.id": text(),
    },
  },
  "MmuIntervalNotifier#closed": { afterClose: SAYS, nothing: "it has no argument" },
  "MmuIntervalNotifier#readBegin": {
    more: [
      {
        why: "inside an invalidation of it",
        outcome: "EAGAIN",
        names: "",
        says: /inside an invalidation/,
        call: (w) => inCallback(w, () => w.outside.readBegin()),
        changes: "the operation that invalidates goes on",
      },
    ],
  },
  "MmuIntervalNotifier#readRetry": { args: { seq: u32((w: World) => w.notifier.readBegin()) } },
  "MmuIntervalNotifier#close": {
    afterClose: TWICE,
    more: [
      {
        why: "from its own callback",
        outcome: "EBUSY",
        names: "",
        says: /its own callback|the notifier's own callback/,
        call: (w) => inCallback(w, () => w.outside.close()),
        changes: "the operation that invalidates goes on",
      },
    ],
  },
};

const faultArgs: Record<string, Argument> = {
  args: bag(false),
  "args.notifier": also(
    object((w) => w.notifier, "a MmuIntervalNotifier", [], [null]),
    ended((w) => w.closed.notifier, /notifier is closed|mm is closed/),
    ended((w) => w.other.notifier, /another mm/),
  ),
  "args.notifierSeq": u32((w: World) => w.notifier.readBegin()),
  "args.mm": also(
    object((w) => w.mm, "an Mm", [], [null]),
    ended((w) => w.closed.mm, /the mm is closed/),
    ended((w) => w.spare, /another mm/),
  ),
  "args.start": pageAddress(start),
  "args.end": rangeEnd(end, start),
  "args.pfns": words((w) => w.pfns, 4),
  "args.defaultFlags": u32(undefined),
  "args.pfnFlagsMask": u32(undefined),
  "args.owner": anything(undefined, OWNER),
};
const noSpace = (call: typeof hmmRangeFault | typeof hmmRangeFaultAsync): Refusal => ({
  why: "neither notifier nor mm",
  outcome: "TypeError",
  names: "mm",
  shows: "undefined",
  says: /an Mm/,
  call: (w) => call({ start: w.addr, end: w.end, pfns: w.pfns }),
});

const faults: Table = {
  hmmRangeFault: { args: faultArgs, lock: readLock, more: [noSpace(hmmRangeFault)] },
  hmmRangeFaultAsync: { args: faultArgs, lock: readLock, more: [noSpace(hmmRangeFaultAsync)] },
};

const setupArgs = (path: string, none: Wrong[]): Record<string, Argument> => ({
  [`${path}.vma`]: also(
    object((w) => w.vma, "a Vma", none, []),
    ended((w) => w.closed.vma, /vma is stale/),
  ),
  [`${path}.start`]: address(start),
  [`${path}.end`]: integer(end, 0, 2 ** 48),
  [`${path}.owner`]: anything(undefined, OWNER),
  [`${path}.select`]: u32(undefined),
  [`${path}.faultPage`]: u32(undefined),
});
const noVma: Wrong[] = [null, undefined].map((value) => ({
  given: () => value,
  outcome: "EINVAL",
  says: /a mapping that HMM handles/,
}));

const badRanges: [why: string, from: Given, to: Given][] = [
  ["an empty range", start, start],
  ["a range that ends before it starts", end, start],
  ["a range beyond the mapping", start, (w) => w.end + PAGE_SIZE],
  ["a range before the mapping", (w) => w.addr - PAGE_SIZE, end],
];
const setupRefusals = badRanges.map(([why, from, to]): Refusal => ({
  why,
  outcome: "EINVAL",
  names: "start",
  says: /inside.*0x[0-9a-f]+/,
  call: (w) => migrateVmaSetup({ vma: w.vma, start: from(w) as number, end: to(w) as number }),
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
    "call.src": also(words(() => new Uint32Array(4), 4)),
    "call.dst": also(words(() => new Uint32Array(4), 4)),
    "call.priv": anything(undefined, "it is the driver's own"),
  },
  lock: readLock,
};
for (const name of ["call.src", "call.dst"]) {
  const argument = legacyMigration.args![name];
  argument.wrongs = argument.wrongs.filter(
    ({ given }) => given({ closed: {} } as World) !== undefined || String(given).includes("closed"),
  );
}

const migrations: Table = {
  migrateVmaSetup: {
    args: { args: bag(false), ...setupArgs("args", noVma) },
    lock: readLock,
    more: [...setupRefusals, strangeFaultPage],
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
  ...Object.fromEntries(["src", "dst"].map((name): [string, Row] => [`Migration#${name}`, {}])),
  "Migration#closed": { afterClose: SAYS, nothing: "it has no argument" },
  "Migration#reasons": { afterClose: "they are final then", nothing: "it has no argument" },
  "Migration#result": { afterClose: "it is final then", nothing: "it has no argument" },
  "Migration#ended": {
    afterClose: "it has settled then",
    nothing: "it has no argument",
    on: (w) => w.closed.migration,
  },
  "Migration#pages": {
    lock: { mode: "read", of: (w) => w.migrating },
    more: [
      {
        why: "a destination that is no page of the driver's",
        outcome: "EINVAL",
        names: "dst[1]",
        shows: "0x80000002",
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
  "Migration#finalize": { afterClose: TWICE, nothing: "it has no argument" },
  "Migration#close": { afterClose: TWICE, nothing: "it has no argument" },
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
      device: {
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
  "HmmDevmem#npages": { afterClose: "it is what it was", nothing: "it has no argument" },
  "HmmDevmem#freePages": { afterClose: "none is left", nothing: "it has no argument" },
  "HmmDevmem#usedPages": { afterClose: "none is left", nothing: "it has no argument" },
  "HmmDevmem#removed": { afterClose: "it says that it was removed", nothing: "it has no argument" },
  "HmmDevmem#allocPage": {},
  "HmmDevmem#allocPages": { args: devmemArrays },
  "HmmDevmem#close": { op: "hmmDevmemRemove", more: [fromCallback((w) => w.devmem.close())] },
};

const strangeSlot: Wrong = {
  given: () => Uint32Array.of(0, 0xc0000000 + 300),
  outcome: "EINVAL",
  names: "pfns[1]",
  shows: "0xc000012c",
  says: /must name a page/,
  core: true,
};
const tooMany: Refusal = {
  why: "more slots than the array has",
  outcome: "RangeError",
  names: "pfns",
  shows: "4",
  says: /at least 5 words long/,
  call: (w) => w.table.map(w.addr, new Uint32Array(4), 5),
};

const tableAccess = (call: "read" | "write"): Row => ({
  args: { addr: address(start), bytes: bytes(() => new Uint8Array(8)) },
  more: [
    {
      why: "a range that ends beyond 2^48",
      outcome: "RangeError",
      names: "bytes",
      shows: "16",
      says: /ends below 2\^48/,
      call: (w) => w.table[call](2 ** 48 - 8, new Uint8Array(16)),
    },
  ],
});

const tables: Table = {
  "new DeviceTable": {
    args: {
      of: also(
        object((w) => w.mm, "an Mm or an Hmm"),
        ended((w) => w.closed.mm, /the mm is closed/),
      ),
    },
  },
  "DeviceTable#entries": {},
  "DeviceTable#closed": { afterClose: SAYS, nothing: "it has no argument" },
  "DeviceTable#map": {
    args: {
      start: pageAddress(() => 0),
      pfns: also(
        words(() => new Uint32Array(4), 0),
        strangeSlot,
      ),
      n: integer(undefined, 0, 2 ** 36),
    },
    more: [tooMany],
  },
  "DeviceTable#mapMigrated": {
    args: {
      m: also(
        object((w) => w.moved, "a Migration"),
        ended((w) => w.closed.migration, /the migration is finalised/),
        ended((w) => w.other.migration, /another Hmm/),
        ended((w) => w.migration, /another mm/),
        ended((w) => w.deviceMigration, /of an mm|another mm/),
        ended((w) => w.unmoved, /pages\(\)/),
      ),
    },
    prepare: prepareMigrations,
  },
  "DeviceTable#clear": { args: { start: pageAddress(start), end: rangeEnd(end, start) } },
  "DeviceTable#protect": { args: { start: pageAddress(start), end: rangeEnd(end, start) } },
  "DeviceTable#lookup": { args: { addr: address(start) } },
  "DeviceTable#snapshot": {
    args: { start: pageAddress(() => 0), n: integer(4, 0, 2 ** 36), out: words(() => new Uint32Array(4), 4) },
  },
  "DeviceTable#read": tableAccess("read"),
  "DeviceTable#write": tableAccess("write"),
  "DeviceTable#close": { afterClose: TWICE, nothing: "it has no argument" },
};
// Left out, it is a new array.
tables["DeviceTable#snapshot"].args!.out.wrongs = tables["DeviceTable#snapshot"].args!.out.wrongs.filter(
  ({ given }) => given({ closed: {} } as World) !== undefined || String(given).includes("closed"),
);

const word = { word: integer(0x80000005, -0x80000000, 0xffffffff, /a word of 32 bits/) };
const pageWord = integer(5, 0, PFN_MASK);

const others: Table = {
  "PfnArray#closed": { afterClose: SAYS, nothing: "it has no argument" },
  "PfnArray#close": { afterClose: TWICE, nothing: "it has no argument" },
  "AddressArray#closed": { afterClose: SAYS, nothing: "it has no argument" },
  "AddressArray#close": { afterClose: TWICE, nothing: "it has no argument" },
  hmmPfn: { args: { page: pageWord, flags: u32(undefined) } },
  migratePfn: { args: { page: pageWord } },
  ...Object.fromEntries(
    ["hmmPfnToPage", "hmmPfnValid", "hmmPfnWritable", "hmmPfnToMapOrder", "migratePfnToPage"].map(
      (name): [string, Row] => [name, { args: word }],
    ),
  ),
};

export const driverRows: Table = {
  ...legacy,
  ...mirrors,
  ...notifiers,
  ...faults,
  ...migrations,
  ...memories,
  ...tables,
  ...others,
};
