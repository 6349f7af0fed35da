/** Rows of files, their mappings, and the engine's settings for files. */
import { PAGE_SIZE } from "../../src/index.ts";
import {
  also,
  bag,
  bytes,
  ended,
  flag,
  integer,
  length,
  object,
  pageAddress,
  word,
  type Argument,
  type Wrong,
} from "./arguments.ts";
import { held, NO_ARGUMENT, SAYS, sem, start, TWICE } from "./common.ts";
import type { Refusal, Table } from "./row.ts";
import { inCallback } from "./rows-hmm.ts";

const offset: Argument = integer(0, 0, 2 ** 48 - 1);
const choice = (names: string, outcome: Wrong["outcome"]): Wrong[] =>
  ["neither", 5, null, {}].map((value) => ({ given: () => value, outcome, says: new RegExp(names) }));

const beyond = (call: Refusal["call"]): Refusal[] => [
  {
    why: "a span that ends beyond 2^48",
    outcome: "RangeError",
    names: "length",
    shows: "16",
    says: /ends below 2\^48/,
    call,
  },
];

const inNotifier = (call: Refusal["call"]): Refusal => ({
  why: "from a notifier's callback",
  outcome: "EDEADLK",
  names: "",
  says: /from a notifier's callback/,
  call: (w) => inCallback(w, () => call(w)),
  changes: "the operation that invalidates goes on",
});

const files: Table = {
  "Hmm#createFile": {
    args: {
      options: bag(true),
      "options.size": integer(undefined, 0, 2 ** 48 - 1),
      "options.bytes": integer(undefined, 0, 2 ** 48 - 1),
      "options.kind": { right: () => undefined, wrongs: choice('"disk" or "shmem"', "RangeError") },
    },
  },
  "Hmm#files": { nothing: NO_ARGUMENT },
  "HmmFile#closed": { afterClose: SAYS, nothing: NO_ARGUMENT },
  "HmmFile#kind": {},
  "HmmFile#size": {},
  "HmmFile#cachedPages": {},
  "HmmFile#read": {
    args: {
      offset,
      target: also(
        bytes(() => 8, /must be a Uint8Array or a length/),
        ...integer(8, 0, 2 ** 31).wrongs.filter(({ outcome }) => outcome === "RangeError"),
      ),
    },
    more: beyond((w) => w.file.read(2 ** 48 - 8, new Uint8Array(16))),
  },
  "HmmFile#write": {
    args: {
      offset,
      bytes: bytes(() => new Uint8Array(8)),
      options: bag(true),
      "options.memcg": also(
        object(() => undefined, "a Memcg", [], [null]),
        ended((w) => w.closed.memcg, /memcg is closed/),
        ended((w) => w.other.memcg, /memcg belongs to another Hmm/),
      ),
    },
    more: beyond((w) => w.file.write(2 ** 48 - 8, new Uint8Array(16))),
  },
  "HmmFile#truncate": {
    args: { size: integer(4096, 0, 2 ** 48 - 1) },
    more: [inNotifier((w) => w.file.truncate(0))],
  },
  "HmmFile#punchHole": {
    args: { offset, length: integer(4096, 1, 2 ** 48 - 1) },
    more: [
      ...beyond((w) => w.file.punchHole(2 ** 48 - 8, 16)),
      inNotifier((w) => w.file.punchHole(0, PAGE_SIZE)),
    ],
  },
  "HmmFile#close": { afterClose: TWICE, nothing: NO_ARGUMENT },
};

const range = (minimum: number): Record<string, Argument> => ({
  addr: pageAddress(start),
  length: length(PAGE_SIZE, minimum),
});

const mappings: Table = {
  "Mm#mmapSpecial": {
    args: {
      kind: { right: () => "mixed", wrongs: choice('"mixed" or "pfn"', "TypeError") },
      args: bag(false),
      "args.length": length(PAGE_SIZE, 1),
      "args.prot": word(undefined),
      "args.sem": sem,
      "args.flags": also(word(undefined), {
        given: () => 0x22,
        outcome: "RangeError",
        says: /without MAP_ANONYMOUS/,
      }),
      "args.addr": pageAddress(undefined),
    },
    takes: "write",
    more: [
      {
        why: "unknown protection",
        outcome: "EINVAL",
        names: "prot 0x100",
        says: /PROT_READ, PROT_WRITE and PROT_EXEC/,
        call: (w) => w.mm.mmapSpecial("mixed", { length: PAGE_SIZE, prot: 0x100 }),
        core: true,
      },
    ],
  },
  "Mm#msync": { args: range(0), takes: "read" },
  "Mm#uffdRegister": {
    args: { ...range(1), ...held },
    takes: "write",
    more: [
      {
        why: "nothing mapped there",
        outcome: "EINVAL",
        names: "addr 0x10000",
        says: /anonymous memory without holes/,
        call: (w) => w.mm.uffdRegister(0x10000, PAGE_SIZE),
        core: true,
      },
    ],
  },
  "Mm#uffdUnregister": { args: { ...range(1), ...held }, takes: "write" },
};

/** The size of a folio. */
const size = also(integer(2 << 20, 16 << 10, 2 << 20), {
  given: () => 24 << 10,
  outcome: "RangeError",
  says: /a power of two/,
});

const settings: Table = {
  "Hmm#faultAround": { nothing: NO_ARGUMENT },
  "Hmm#faultAround=": {
    args: {
      value: {
        ...also(integer(PAGE_SIZE, PAGE_SIZE, 2 << 20), {
          given: () => 3 * PAGE_SIZE,
          outcome: "RangeError",
          says: /a power of two/,
        }),
        as: "bytes",
      },
    },
  },
  "Hmm#hugepages": { args: { bytes: size } },
  "Hmm#setHugepages": {
    args: {
      bytes: size,
      mode: {
        right: () => "madvise",
        wrongs: [undefined, null, 1, "sometimes"].map((value) => ({
          given: () => value,
          outcome: "RangeError" as const,
          says: /must be "never", "madvise" or "always"/,
        })),
      },
    },
    more: [
      {
        why: "folios that the engine's kernel does not have",
        outcome: "RangeError",
        names: "bytes",
        says: /linux: "7\.3"/,
        call: (w) => w.hmm.setHugepages(64 << 10, "always"),
      },
    ],
  },
  "Hmm#ksmScan": {
    args: { passes: integer(undefined, 0, 2 ** 31 - 1) },
    more: [
      {
        why: "a mmapSem that is held for write",
        outcome: "EDEADLK",
        names: "",
        says: /mmapSem is held for write/,
        call: (w) => {
          using _sem = w.mm.mmapSem.write();
          w.hmm.ksmScan();
        },
      },
      inNotifier((w) => w.hmm.ksmScan()),
    ],
  },
  "Hmm#swapOn": { nothing: NO_ARGUMENT },
  "Hmm#swapOn=": {
    args: {
      value: {
        ...also(flag(false), { given: () => true, outcome: "RangeError", says: /without swap space/ }),
        as: "on",
      },
    },
  },
};

export const fileRows: Table = { ...files, ...mappings, ...settings };
