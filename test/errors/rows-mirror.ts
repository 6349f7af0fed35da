/** Rows of mirrors, notifiers and ranges. */
import {
  EINVAL,
  HmmMirror,
  HmmRange,
  hmmRangeFault,
  hmmRangeFaultAsync,
  hmmVmaAllocLockedPage,
  hmmVmaFault,
  hmmVmaGetPfns,
  hmmVmaRangeDone,
  MMU_NOTIFY_EXCLUSIVE,
  MMU_NOTIFY_UNMAP,
  PAGE_SIZE,
} from "../../src/index.ts";
import {
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
  rangeEnd,
  text,
  word,
  words,
  type Argument,
  type Given,
  type Wrong,
} from "./arguments.ts";
import { answers, badRanges, end, mm, NO_ARGUMENT, OWNER, readLock, SAYS, start, TWICE } from "./common.ts";
import type { Refusal, Row, Table } from "./row.ts";
import { inCallback } from "./rows-hmm.ts";
import type { World } from "./world.ts";

/** A mapping; for null and undefined, findVma()'s answers for no mapping, the call returns -EINVAL. */
const vma: Argument = also(
  object((w) => w.vma, "a Vma", [answers(null), answers(undefined)], []),
  ended((w) => w.closed.vma, /vma is stale/),
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

/** A call on a range that is tracked is refused. */
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

/** Wrong ranges whose start and end are valid on their own: the kernel answers -EINVAL. */
function legacyRefusals(call: (w: World, from: number, to: number, range?: HmmRange) => unknown): Refusal[] {
  const answer = (why: string, from: Given, to: Given): Refusal => ({
    why,
    outcome: -EINVAL,
    names: "",
    says: /./,
    call: (w) => call(w, from(w) as number, to(w) as number),
  });
  return [
    ...badRanges.map(([why, from, to]) => answer(why, from, to)),
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
  "HmmRange#tracked": { nothing: NO_ARGUMENT },
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
  "HmmMirror#id": { afterClose: "its name stays", nothing: NO_ARGUMENT },
  "HmmMirror#registered": { afterClose: "it says that it is not registered", nothing: NO_ARGUMENT },
  "HmmMirror#close": { afterClose: TWICE, nothing: NO_ARGUMENT },
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
        // null is right where there is a table.
        wrongs: [5, "ops", true, undefined].map((value) => ({
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
      "options.table": optional(
        also(
          object((w) => w.table, "a DeviceTable"),
          ended((w) => w.closed.table, /must be an open table of mm/),
        ),
      ),
      "options.owner": anything(undefined, OWNER),
    },
  },
  "MmuIntervalNotifier#told": { args: { event: integer(MMU_NOTIFY_UNMAP, 0, MMU_NOTIFY_EXCLUSIVE) } },
  "MmuIntervalNotifier#closed": { afterClose: SAYS, nothing: NO_ARGUMENT },
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
  "MmuIntervalNotifier#readRetry": { args: { seq: word((w: World) => w.notifier.readBegin()) } },
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
  "args.notifierSeq": word((w: World) => w.notifier.readBegin()),
  "args.mm": also(
    object((w) => w.mm, "an Mm", [], [null]),
    ended((w) => w.closed.mm, /the mm is closed/),
    ended((w) => w.spare, /another mm/),
  ),
  "args.start": pageAddress(start),
  "args.end": rangeEnd(end, start),
  "args.pfns": words((w) => w.pfns, 4),
  "args.defaultFlags": word(undefined),
  "args.pfnFlagsMask": word(undefined),
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

export const mirrorRows: Table = { ...legacy, ...mirrors, ...notifiers, ...faults };
