/** Rows of address spaces and their parts. */
import {
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_FIXED_NOREPLACE,
  MAP_PRIVATE,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PAGE_SIZE,
} from "../../src/index.ts";
import {
  address,
  also,
  bag,
  bytes,
  ended,
  flag,
  integer,
  length,
  object,
  pageAddress,
  text,
  u32,
  word,
  words,
  type Argument,
  type Given,
} from "./arguments.ts";
import { held, sem } from "./common.ts";
import type { Refusal, Row, Table } from "./row.ts";
import type { World } from "./world.ts";

const addr: Given = (w) => w.addr;
const TWICE = "closing twice does nothing";
const SAYS = "it says that it is closed";
const FIELDS = "it belongs to the handle";
const FIXED = MREMAP_FIXED | MREMAP_MAYMOVE;

/** A system call's refusal of arguments that are valid on their own. */
function refusal(
  why: string,
  outcome: `E${string}`,
  names: string,
  says: RegExp,
  call: Refusal["call"],
): Refusal {
  return { why, outcome, names, says, call, core: true };
}

const range = (minimum: number): Record<string, Argument> => ({
  addr: pageAddress(addr),
  length: length(PAGE_SIZE, minimum),
});

const accessOptions: Record<string, Argument> = {
  options: bag(true),
  "options.force": flag(),
  "options.kernel": flag(),
};

/** An array to read into, or a number of bytes. */
const target = also(
  {
    ...bytes(() => 8, /must be a Uint8Array or a length/),
    as: "bytes",
  },
  ...integer(8, 0, 2 ** 31)
    .wrongs.filter(({ outcome }) => outcome === "RangeError")
    .map((wrong) => ({ ...wrong, names: "length" })),
);

const beyond = (op: "read" | "write" | "readAsync" | "writeAsync"): Refusal => ({
  why: "a range that ends beyond 2^48",
  outcome: "RangeError",
  names: "length",
  shows: "16",
  says: /ends below 2\^48/,
  call: (w) => w.mm[op](2 ** 48 - 8, new Uint8Array(16)),
});

const access = (op: "read" | "write", asynchronous = false): Row => ({
  args: {
    addr: address(addr),
    ...(op === "read" ? { target } : { bytes: bytes(() => new Uint8Array(8)) }),
    ...accessOptions,
  },
  ...(asynchronous ? {} : { takes: "read" as const }),
  more: [beyond(asynchronous ? `${op}Async` : op)],
});

const faultArgs = { addr: address(addr), ...accessOptions, "options.write": flag() };

const described: Record<string, Argument> = {
  range: bag(true),
  "range.start": pageAddress(undefined),
  "range.end": {
    ...pageAddress(undefined),
    // 2^48 is an end.
    wrongs: [
      ...pageAddress(undefined).wrongs.filter(({ given }) => given({} as World) !== 2 ** 48),
      { given: () => 0, outcome: "RangeError", says: /must be above start \(0x0\)/ },
    ],
  },
};

const moved: Record<string, Argument> = {
  addr: pageAddress(addr),
  oldLength: length(PAGE_SIZE, 0),
  newLength: length(PAGE_SIZE, 1),
  flags: word(undefined),
  newAddr: address(undefined),
};

/** A row for a mapping of the address space. */
const sysCalls: Table = {
  "Mm#mmap": {
    args: {
      args: bag(false),
      "args.length": length(PAGE_SIZE, 1),
      "args.prot": word(undefined),
      "args.flags": word(undefined),
      "args.addr": pageAddress(undefined),
      "args.offset": pageAddress(undefined),
      "args.sem": sem,
      "args.file": also(
        object(() => undefined, "a HmmFile", [], []),
        ended((w) => w.closed.file, /file is closed/),
        ended((w) => w.other.file, /file belongs to another Hmm/),
      ),
    },
    takes: "write",
    more: [
      refusal("neither shared nor private", "EINVAL", "flags 0x20", /MAP_SHARED or MAP_PRIVATE/, (w) =>
        w.mm.mmap({ length: PAGE_SIZE, flags: MAP_ANONYMOUS }),
      ),
      refusal("unknown protection", "EINVAL", "prot 0x100", /PROT_READ, PROT_WRITE and PROT_EXEC/, (w) =>
        w.mm.mmap({ length: PAGE_SIZE, prot: 0x100 }),
      ),
      refusal("neither anonymous nor a file", "EINVAL", "flags 0x2", /MAP_ANONYMOUS where no file/, (w) =>
        w.mm.mmap({ length: PAGE_SIZE, flags: MAP_PRIVATE }),
      ),
      refusal("taken already", "EEXIST", "MAP_FIXED_NOREPLACE", /0x[0-9a-f]+ is mapped/, (w) =>
        w.mm.mmap({
          length: PAGE_SIZE,
          addr: w.addr,
          flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
        }),
      ),
    ],
  },
  "Mm#describe": { args: described },
  "Mm#dump": { args: described },
  "Mm#munmap": { args: { ...range(1), ...held }, takes: "write" },
  "Mm#munmapAsync": { args: range(1) },
  "Mm#mprotectAsync": { args: { ...range(0), prot: word(1) } },
  "Mm#mprotect": {
    args: { ...range(0), prot: word(1), ...held },
    takes: "write",
    more: [
      refusal("unknown protection", "EINVAL", "prot 0x100", /PROT_READ, PROT_WRITE and PROT_EXEC/, (w) =>
        w.mm.mprotect(w.addr, PAGE_SIZE, 0x100),
      ),
    ],
  },
  "Mm#madvise": {
    args: { ...range(0), advice: u32(MADV_DONTNEED), ...held },
    takes: "read",
    more: [
      refusal("unknown advice", "EINVAL", "advice 999", /MADV_\*/, (w) =>
        w.mm.madvise(w.addr, PAGE_SIZE, 999),
      ),
    ],
  },
  "Mm#populate": { args: { ...range(0), ...held, "options.write": flag() }, takes: "read" },
  "Mm#mremapAsync": { args: moved },
  "Mm#mremap": {
    args: { ...moved, ...held },
    takes: "write",
    more: [
      {
        why: "a target that is no page",
        outcome: "RangeError",
        names: "newAddr",
        shows: "0x10001",
        says: /multiple of the page size/,
        call: (w) => w.mm.mremap(w.addr, PAGE_SIZE, PAGE_SIZE, FIXED, 0x10001),
      },
      refusal("unknown flags", "EINVAL", "flags 0x100", /MREMAP_\*/, (w) =>
        w.mm.mremap(w.addr, PAGE_SIZE, PAGE_SIZE, 0x100),
      ),
      refusal("fixed, but it may not move", "EINVAL", "flags 0x2", /MREMAP_MAYMOVE/, (w) =>
        w.mm.mremap(w.addr, PAGE_SIZE, PAGE_SIZE, MREMAP_FIXED, 0x10000),
      ),
      refusal("an old length of 0", "EINVAL", "oldLength 0", /above 0/, (w) =>
        w.mm.mremap(w.addr, 0, PAGE_SIZE),
      ),
      refusal("onto itself", "EINVAL", "newAddr", /overlap/, (w) =>
        w.mm.mremap(w.addr, 2 * PAGE_SIZE, 2 * PAGE_SIZE, FIXED, w.addr + PAGE_SIZE),
      ),
      refusal("nothing mapped there", "EFAULT", "addr 0x10000", /one mapping/, (w) =>
        w.mm.mremap(0x10000, PAGE_SIZE, 2 * PAGE_SIZE),
      ),
    ],
  },
  "Mm#mlock": { args: { ...range(0), ...held }, takes: "write" },
  "Mm#munlock": { args: { ...range(0), ...held }, takes: "write" },
  "Mm#mincore": {
    args: range(0),
    takes: "read",
    more: [
      {
        why: "more pages than an array has elements",
        outcome: "RangeError",
        names: "length in pages",
        shows: "0x10000001",
        says: /an integer from 0 to/,
        call: (w) => w.mm.mincore(2 ** 32, (2 ** 28 + 1) * PAGE_SIZE),
      },
    ],
  },
};

const spaces: Table = {
  ...sysCalls,
  "Mm#fork": { args: held, takes: "write" },
  "Mm#forkAsync": {},
  "Mm#findVma": { args: { addr: address(addr) } },
  "Mm#vmas": {},
  "Mm#lookupPte": { args: { addr: address(addr) } },
  "Mm#translate": {
    args: {
      addresses: also(
        object((w) => w.addresses, "an AddressArray or a Float64Array"),
        ended((w) => w.closed.addresses, /is closed/),
        ...[NaN, -1, 2 ** 48, Infinity].map((bad) => ({
          given: () => Float64Array.of(0, 4096, bad, 0),
          outcome: "RangeError" as const,
          names: "addresses[2]",
          shows: bad === 2 ** 48 ? "0x1000000000000" : String(bad),
          says: /an address below 2\^48/,
          core: true,
        })),
      ),
      out: words((w) => w.pfns, 4),
    },
  },
  "Mm#read": access("read"),
  "Mm#write": access("write"),
  "Mm#readAsync": access("read", true),
  "Mm#writeAsync": access("write", true),
  "Mm#load32": { args: { addr: address(addr, 4) }, takes: "read" },
  "Mm#store32": {
    args: { addr: address(addr, 4), value: integer(1, -0x80000000, 0xffffffff, /an integer of 32 bits/) },
    takes: "read",
  },
  "Mm#fault": { args: faultArgs, takes: "read" },
  "Mm#faultAsync": { args: faultArgs },
  "Mm#pin": {
    args: {
      addr: pageAddress(addr),
      npages: integer(1, 1, 2 ** 27),
      options: bag(true),
      "options.write": flag(),
      "options.force": flag(),
      "options.longTerm": flag(),
    },
    takes: "read",
  },
  "Mm#rss": {},
  "Mm#faults": {},
  "Mm#closed": { afterClose: SAYS, nothing: "it has no argument" },
  "Mm#closeAsync": {
    afterClose: TWICE,
    nothing: "it has no argument, and waits for what close() refuses",
  },
  "Mm#close": {
    takes: "write",
    afterClose: TWICE,
    more: [
      {
        why: "a migration is open",
        outcome: "EBUSY",
        names: "migration 1",
        says: /is open/,
        call: (w) => w.migrating.close(),
      },
    ],
  },
};

const vmaGetters = ["end", "file", "flags", "next", "npages", "pgoff", "prot", "special", "start"];

const handles: Table = {
  // A getter that uses another getter names that one in its messages.
  ...Object.fromEntries(vmaGetters.map((name): [string, Row] => [`Vma#${name}`, {}])),
  "Vma#npages": { op: ["vma.end"] },
  "Vma#prot": { op: ["vma.flags"] },
  "Vma#special": { op: ["vma.flags"] },
  "Vma#stale": { afterClose: "it says that it is stale", nothing: "it has no argument, and is what to ask" },
  "Pin#npages": { afterClose: FIELDS, nothing: "it has no argument, and counts what was pinned" },
  "Pin#close": { afterClose: TWICE, nothing: "it has no argument, and closing twice does nothing" },
  "MmapGuard#held": { afterClose: FIELDS, nothing: "it has no argument" },
  "MmapGuard#close": { afterClose: TWICE, nothing: "it has no argument, and closing twice does nothing" },
};

const holder = { holder: text() };

const locks: Table = {
  "new MmapSem": { nothing: "it has no argument" },
  "MmapSem#mode": { nothing: "it has no argument" },
  "MmapSem#holders": { nothing: "it has no argument" },
  "MmapSem#read": { op: ["mmapSem.read()"], args: holder, takes: "read" },
  "MmapSem#write": { op: ["mmapSem.write()"], args: holder, takes: "write" },
  "MmapSem#tryRead": { op: ["mmapSem.tryRead()"], args: holder },
  "MmapSem#tryWrite": { op: ["mmapSem.tryWrite()"], args: holder },
  "MmapSem#readAsync": { op: ["mmapSem.readAsync()"], args: holder },
  "MmapSem#writeAsync": { op: ["mmapSem.writeAsync()"], args: holder },
};

const limit: Argument = {
  ...integer(undefined, 0, 0xfffffffe),
  wrongs: integer(undefined, 0, 0xfffffffe).wrongs.filter(({ given }) => given({} as World) !== Infinity),
};

const groups: Table = {
  "new Memcg": { args: { options: bag(true), "options.limit": limit } },
  "Memcg#limit": { afterClose: "it is what it was", nothing: "it has no argument" },
  "Memcg#limit=": { args: { value: { ...limit, right: () => 40, as: "limit" } } },
  "Memcg#usage": { afterClose: "nothing is charged to a closed group", nothing: "it has no argument" },
  "Memcg#members": { afterClose: "a closed group has none", nothing: "it has no argument" },
  "Memcg#close": {
    on: (w) => w.spareMemcg,
    more: [
      {
        why: "it has members",
        outcome: "EBUSY",
        names: "",
        says: /1 address spaces and 0 pages/,
        call: (w) => w.memcg.close(),
        core: true,
      },
    ],
  },
};

export const mmRows: Table = spaces;
export const handleRows: Table = { ...handles, ...locks, ...groups };
