/** Rows of the engine and of small functions. */
import { Hmm, HmmError, PAGE_SIZE } from "../../src/index.ts";
import {
  address,
  also,
  anything,
  bag,
  bytes,
  callback,
  ended,
  integer,
  object,
  optional,
  u32,
  word,
  type Argument,
  type Given,
  type Wrong,
} from "./arguments.ts";
import type { Refusal, Row, Table } from "./row.ts";
import type { World } from "./world.ts";

const getter: Row = { nothing: "it has no argument, and an engine has no end" };

const AROUND = "the operation whose callback it is goes on";

/** Makes a call inside a notifier's callback and rethrows its exception. */
export function inCallback(w: World, body: () => unknown): void {
  let thrown: unknown;
  const start = w.readOnly;
  const end = start + PAGE_SIZE;
  w.onInvalidate = () => {
    try {
      body();
    } catch (error) {
      thrown = error;
    }
  };
  w.mm.madvise(start, end - start, 4);
  w.onInvalidate = null;
  if (thrown !== undefined) throw thrown as Error;
}

export const fromCallback = (call: (w: World) => unknown): Refusal => ({
  why: "called from a driver's callback",
  outcome: "TypeError",
  names: "",
  says: /must not be called from a driver's callback/,
  call: (w) => inCallback(w, () => call(w)),
  changes: AROUND,
});

const capacity = integer(undefined, 1, 2 ** 28);
const few = (most: number): Argument => integer(undefined, 1, most);
const choice: Wrong[] = ["both", 5, null, {}].map((value) => ({
  given: () => value,
  outcome: "RangeError",
  says: /must be "data" or "metadata"/,
}));
const kernels: Wrong[] = ["6.13", 7.3, null, {}].map((value) => ({
  given: () => value,
  outcome: "RangeError",
  says: /must be "6.12" or "7.3"/,
}));
/** An undefined module counts as an empty configuration. */
const leftOut: Wrong = {
  given: () => undefined,
  outcome: "TypeError",
  says: /must be a WebAssembly.Module, got an object/,
  shows: "",
};
const module: Argument = object((w) => w.module, "a WebAssembly.Module");

/** Rows give a module, beside which config.wasm is refused, whatever it is. */
const wasm: Argument = {
  right: () => undefined,
  wrongs: [null, new Uint8Array(8), "hmm.wasm"].map((value) => ({
    given: () => value,
    outcome: "RangeError",
    says: /must be left out where wasm is given/,
    names: "module",
    shows: "a Module",
  })),
};

/** The members of a configuration by their paths. */
export const configuration = (path: string): Record<string, Argument> => ({
  [path]: bag(true),
  [`${path}.systemMemory`]: optional(integer(1 << 16, PAGE_SIZE, 2 ** 39)),
  [`${path}.deviceMemory`]: optional(integer(0, 0, 2 ** 39)),
  [`${path}.swap`]: integer(undefined, 0, 2 ** 39),
  [`${path}.hugetlb`]: integer(undefined, 0, 0),
  [`${path}.backing`]: { right: () => undefined, wrongs: choice },
  [`${path}.linux`]: { right: () => undefined, wrongs: kernels },
  [`${path}.capacities`]: bag(true),
  ...Object.fromEntries(
    "mms vmas anonVmaLinks pageTables notifiers migrations deviceTables ksmPages ksmAddresses"
      .split(" ")
      .map((name) => [`${path}.capacities.${name}`, capacity]),
  ),
  [`${path}.capacities.anonVmas`]: few(0xffff),
  [`${path}.capacities.files`]: few(0xffff),
  [`${path}.capacities.memcgs`]: few(0xff),
  [`${path}.arena`]: integer(undefined, 4096, 2 ** 32),
  [`${path}.eventLog`]: integer(undefined, 1, 2 ** 26),
  [`${path}.wasm`]: wasm,
  [`${path}.module`]: optional(module),
});

const badConfigs: [why: string, config: object, outcome: Wrong["outcome"], names: string, says: RegExp][] = [
  [
    "an unknown setting",
    { systemmemory: 1 },
    "RangeError",
    "systemmemory",
    /made of systemMemory, deviceMemory/,
  ],
  ["an unknown capacity", { capacities: { vma: 1 } }, "RangeError", "vma", /made of mms, vmas/],
  ["no power of two", { eventLog: 12 }, "RangeError", "eventLog", /a power of two, got 12/],
  ["more than 4 GiB", { systemMemory: 2 ** 33 }, "ENOMEM", "4 GiB", /frames, tables and arena/],
];
const refusedConfigs = (make: (w: World, config: object) => unknown): Refusal[] =>
  badConfigs.map(([why, config, outcome, names, says]) => ({
    why,
    outcome,
    names,
    says,
    call: (w) => make(w, config),
  }));

/** Callbacks by id, of which one is missing or not a function. */
const record = (right: Given, names: string, says: RegExp): Argument => ({
  right,
  wrongs: [undefined, {}, 5].map((value) => ({
    given: () => value,
    outcome: "RangeError",
    says,
    names,
    shows: "undefined",
  })),
});

/** Callbacks for an engine that is restored or rewound. */
export const attachments: Record<string, Argument> = {
  attach: bag(true),
  "attach.mirrors": record(
    () => ({ mirror1: { update: () => undefined } }),
    'attach.mirrors["mirror1"]',
    /must be given/,
  ),
  "attach.notifiers": record(
    () => ({ notifier1: { invalidate: () => undefined }, outside: { invalidate: () => undefined } }),
    'attach.notifiers["notifier1"]',
    /must be given/,
  ),
  "attach.devmems": record(
    () => Object.fromEntries([1, 2, 3].map((n) => [`devmem${n}`, { ops: { fault: () => 0 }, owner: { n } }])),
    'attach.devmems["devmem1"]',
    /must be given, with ops and owner/,
  ),
};

const engines: Table = {
  "Hmm.create": {
    args: configuration("config"),
    more: refusedConfigs((_, config) => Hmm.create(config)),
  },
  "Hmm.createSync": {
    op: ["Hmm.createSync", "Hmm.create"],
    args: {
      module: { ...module, wrongs: [...optional(module).wrongs, leftOut] },
      ...configuration("config"),
    },
    more: refusedConfigs((w, config) => Hmm.createSync(w.module, config)),
  },
  "Hmm.restore": {
    args: {
      bytes: also(
        bytes((w) => w.other.hmm.snapshot()),
        {
          given: () => new Uint8Array(100),
          outcome: "RangeError",
          says: /must be a snapshot/,
          shows: "100",
        },
      ),
      ...attachments,
      "attach.module": optional(module),
    },
  },
  "Hmm#config": getter,
  "Hmm#module": getter,
  "Hmm#createMm": {
    args: {
      options: bag(true),
      "options.memcg": also(
        object(() => undefined, "a Memcg", [], [null]),
        ended((w) => w.closed.memcg, /memcg is closed/),
        ended((w) => w.other.memcg, /memcg belongs to another Hmm/),
      ),
    },
  },
  ...Object.fromEntries(
    ["files", "mms", "migrations", "deviceTables", "devmems", "mirrors", "notifiers", "memcgs"].map(
      (name) => [`Hmm#${name}`, getter],
    ),
  ),
  "Hmm#zeroPage": getter,
  "Hmm#freePages": getter,
  "Hmm#pageTables": getter,
  "Hmm#freeHugetlbPages": getter,
  "Hmm#stats": getter,
  "Hmm#verify": getter,
  "Hmm#failingAllocation": getter,
  "Hmm#describe": { args: { addr: address((w) => w.addr) } },
  "Hmm#failAllocation": { args: { n: u32(0) } },
  "Hmm#on": {
    args: {
      name: {
        right: () => "fault",
        wrongs: ["faults", 5, null, undefined, {}].map((value) => ({
          given: () => value,
          outcome: "RangeError",
          says: /one of fault, migrate, invalidate/,
        })),
      },
      listener: callback(() => undefined),
    },
  },
  "Hmm#close": {
    more: [fromCallback((w) => w.hmm.close())],
    prepare: (w) => [w.pin, w.lent, w.guard].forEach((held) => held.close()),
  },
  "Hmm#snapshot": {
    args: {
      options: bag(true),
      "options.into": also(
        optional(bytes(() => undefined)),
        {
          given: () => new Uint8Array(100),
          outcome: "RangeError",
          says: /must be at least \d+ bytes long/,
          shows: "100",
        },
        {
          given: (w) => new Uint8Array(w.pfns.buffer),
          outcome: "RangeError",
          says: /must be outside of the engine's own memory/,
          shows: "a Uint8Array",
        },
      ),
    },
    more: [fromCallback((w) => w.hmm.snapshot())],
  },
};

const REPORT = "an error reports; if it were refused, the one that it is about would be lost";

const FOR_MESSAGES = "it is for messages, and has a name for anything";

const small: Table = {
  ...Object.fromEntries(
    ["errno", "op", "detail"].map((name): [string, Row] => [
      `HmmError#${name}`,
      { on: () => new HmmError(12, "op", "detail"), nothing: "it is a field" },
    ]),
  ),
  "new HmmError": {
    args: Object.fromEntries(
      [
        "errno",
        "op",
        "detail",
        "fields",
        "fields.cause",
        "fields.faultCode",
        "fields.address",
        "fields.done",
        "fields.migration",
      ].map((name) => [name, anything(name === "errno" ? 22 : undefined, REPORT)]),
    ),
    nothing: REPORT,
  },
  explain: {
    args: { reason: anything(7, "every value has an answer: what is no REASON_* is said to be unknown") },
    nothing: "it is for messages, and has words for anything",
  },
  ...Object.fromEntries(
    [
      ["eventName", "event"],
      ["faultKindName", "kind"],
      ["faultCodeName", "code"],
      ["errnoName", "number"],
      ["describeVmFault", "answer"],
    ].map(([name, parameter]) => [
      name,
      { args: { [parameter]: anything(1, FOR_MESSAGES) }, nothing: FOR_MESSAGES },
    ]),
  ),
  describePte: { args: { word: word(0x80000000) } },
  describePfn: { args: { word: word(0x80000005) } },
  describeVmFlags: { args: { flags: word(0x3) } },
  "MigrateResult#reasons": { nothing: "it has no argument, and the result is the caller's" },
  "MigrateResult#stayed": { nothing: "it has no argument, and the result is the caller's" },
};

export const hmmRows: Table = { ...engines, ...small };
