/** Rows of device tables. */
import {
  type Wrong,
  address,
  also,
  bag,
  bytes,
  ended,
  integer,
  object,
  optional,
  pageAddress,
  rangeEnd,
  words,
} from "./arguments.ts";
import { end, NO_ARGUMENT, SAYS, start, TWICE } from "./common.ts";
import type { Refusal, Row, Table } from "./row.ts";
import { prepareMigrations } from "./world.ts";

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

export const tableRows: Table = {
  "new DeviceTable": {
    args: {
      of: also(
        object((w) => w.mm, "an Mm or an Hmm"),
        { ...ended((w) => w.closed.mm, /is closed/), names: "mm" },
      ),
    },
  },
  "DeviceTable#entries": {},
  "DeviceTable#closed": { afterClose: SAYS, nothing: NO_ARGUMENT },
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
        ended((w) => w.closed.migration, /the migration is finalized/),
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
  "DeviceTable#translateBatch": {
    args: {
      addresses: also(
        object((w) => w.addresses, "an AddressArray or a Float64Array"),
        ended((w) => w.closed.addresses, /is closed/),
        {
          given: () => Float64Array.of(0, 2 ** 48),
          outcome: "RangeError",
          names: "addresses[1]",
          shows: "0x1000000000000",
          says: /an address below 2\^48/,
          core: true,
        },
      ),
      out: words((w) => w.pfns, 4),
      options: bag(true),
      "options.access": {
        right: () => undefined,
        wrongs: ["execute", 1, null].map((value) => ({
          given: () => value,
          outcome: "RangeError",
          says: /must be "read" or "write"/,
        })),
      },
    },
  },
  "DeviceTable#accessed": { args: { start: pageAddress(() => 0), n: integer(4, 0, 2 ** 28) } },
  "DeviceTable#clearAccessed": { args: { start: pageAddress(start), end: rangeEnd(end, start) } },
  "DeviceTable#snapshot": {
    args: {
      start: pageAddress(() => 0),
      n: integer(4, 0, 2 ** 36),
      out: optional(words(() => new Uint32Array(4), 4)),
    },
  },
  "DeviceTable#read": tableAccess("read"),
  "DeviceTable#write": tableAccess("write"),
  "DeviceTable#close": { afterClose: TWICE, nothing: NO_ARGUMENT },
};
