/** Rows of heteromem/dmirror and heteromem/testing. */
import { Checkpoint, DelayedDevice } from "../../src/testing.ts";
import { EINVAL, PAGE_SIZE } from "../../src/index.ts";
import { EVICTORS } from "../../src/sim/policies/evict/index.ts";
import {
  type Argument,
  type Wrong,
  also,
  answering,
  anything,
  bag,
  bytes,
  callback,
  ended,
  flag,
  integer,
  object,
  pageAddress,
  text,
  words,
} from "./arguments.ts";
import type { Row, Table } from "./row.ts";
import { attachments, fromCallback } from "./rows-hmm.ts";
import type { World } from "./world.ts";

const TWICE = "closing twice does nothing";
const memory = { ...integer(undefined, PAGE_SIZE, 2 ** 39), as: "size" };

/** Commands answer -EINVAL, as the kernel's test driver does. */
const command: Row = {
  args: {
    addr: answering(
      pageAddress((w) => w.addr),
      -EINVAL,
    ),
    npages: answering(integer(1, 1, 2 ** 36), -EINVAL),
  },
};

const mirror: Table = {
  "new DmirrorDevice": {
    op: ["new DmirrorDevice", "hmmDevmemAdd"],
    args: {
      hmm: object((w) => w.hmm, "an Hmm"),
      options: bag(true),
      "options.memory": { ...memory, right: () => 2 << 20 },
      "options.id": text(),
      "options.coherent": flag(),
    },
  },
  "DmirrorDevice#failNextAlloc": { afterClose: "it is a flag", nothing: "it has no argument" },
  "DmirrorDevice#evict": { op: ["migrateDeviceRange"] },
  "DmirrorDevice#close": {
    afterClose: TWICE,
    op: ["hmmDevmemRemove"],
    more: [fromCallback((w) => w.device.close())],
  },
  "new Dmirror": {
    args: {
      mm: also(
        object((w) => w.mm, "an Mm"),
        ended((w) => w.closed.mm, /the mm is closed/),
      ),
      options: bag(true),
      "options.device": also(
        object((w) => w.device, "a DmirrorDevice", [], [null]),
        ended((w) => w.closed.device, /was removed|is closed/),
        ended((w) => w.other.device, /another Hmm/),
      ),
      "options.deviceMemory": integer(undefined, PAGE_SIZE, 2 ** 39),
      "options.faultPages": integer(undefined, 1, 2 ** 27),
      "options.migratePages": integer(undefined, 1, 2 ** 27),
    },
  },
  "Dmirror#entries": { afterClose: "a closed mirror has none", nothing: "it has no argument" },
  "Dmirror#failNextAlloc": {},
  "Dmirror#close": { afterClose: TWICE, nothing: "it has no argument" },
  "Dmirror#read": command,
  "Dmirror#write": { args: { addr: command.args!.addr, data: bytes(() => new Uint8Array(PAGE_SIZE)) } },
  "Dmirror#migrateToDevice": command,
  "Dmirror#migrateToSystem": command,
  "Dmirror#snapshot": command,
  "Dmirror#exclusive": command,
  "Dmirror#checkExclusive": command,
  "Dmirror#release": {},
};

/** A pending copy; other values are refused. */
const copy: Argument = {
  right: (w) => w.delayed.pending[0],
  wrongs: [
    ...[null, 5, "copy", {}].map((value): Wrong => ({
      given: () => value,
      outcome: "RangeError",
      says: /must be a copy that is pending/,
    })),
    {
      given: (w) => w.other.delayed.pending[0],
      outcome: "RangeError",
      says: /must be a copy that is pending/,
      shows: "",
    },
  ],
};
const members = Object.fromEntries(
  ["id", "src", "dst", "label"].map((name) => [
    `copy.${name}`,
    anything(undefined, "the copy is one of `pending`, not made by hand"),
  ]),
);
const pend = (w: World): void => {
  for (const device of [w.delayed, w.other.delayed])
    void device.dma(new Uint32Array(1), new Uint32Array(1)).catch(() => undefined);
};

const device: Table = {
  "new DelayedDevice": {
    op: ["new DelayedDevice", "hmmDevmemAdd"],
    args: {
      hmm: object((w) => w.hmm, "an Hmm"),
      options: bag(true),
      "options.memory": { ...memory, right: () => 2 << 20 },
      "options.seed": integer(undefined, 0, 2 ** 32 - 1),
      "options.synchronousFaults": {
        right: () => undefined,
        wrongs: ["no", 5, true, null].map((value) => ({
          given: () => value,
          outcome: "RangeError",
          says: /"copy" or "sigbus"/,
        })),
      },
      "options.id": text(),
    },
  },
  "DelayedDevice#pending": { afterClose: "it is empty", nothing: "it has no argument" },
  "DelayedDevice#dma": {
    args: { src: words(() => new Uint32Array(4), 0), dst: words(() => new Uint32Array(4), 4), label: text() },
    prepare: () => undefined,
  },
  "DelayedDevice#finish": { args: { copy, ...members }, prepare: pend, afterClose: undefined },
  "DelayedDevice#fail": {
    args: { copy, ...members, error: anything(undefined, "anything can be thrown") },
    prepare: pend,
  },
  "DelayedDevice#until": { args: { n: integer(0, 0, 0xffffffff) }, afterClose: "nothing waits" },
  "DelayedDevice#settle": {
    args: { work: object(() => Promise.resolve(1), "a promise", [], [null, undefined]) },
    afterClose: "it waits for the work alone",
  },
  "DelayedDevice#close": {
    afterClose: TWICE,
    more: [
      {
        why: "copies are pending",
        outcome: "EBUSY",
        names: "",
        says: /1 copies are pending|1 copy is pending/,
        call: (w) => {
          const busy = new DelayedDevice(w.hmm, { memory: 2 << 20 });
          void busy.dma(new Uint32Array(1), new Uint32Array(1));
          busy.close();
        },
        changes: "the device is made for it",
      },
    ],
  },
  "new Checkpoint": {
    args: { hmm: object((w) => w.hmm, "an Hmm") },
    more: [fromCallback((w) => new Checkpoint(w.hmm))],
  },
  "Checkpoint#hmm": { nothing: "it has no argument" },
  "Checkpoint#save": { nothing: "it has no argument" },
  "Checkpoint#rewind": {
    args: {
      ...attachments,
      "attach.module": anything(undefined, "the engine keeps its core"),
    },
  },
  "new Random": { args: { seed: integer(1, 0, 2 ** 32 - 1) } },
  "Random#seed": { nothing: "it has no argument" },
  "Random#next": { nothing: "it has no argument" },
  "Random#below": { args: { n: integer(5, 1, 2 ** 32) } },
  "Random#pick": { args: { items: object(() => [1, 2], "an array") } },
  checkEvictPolicy: {
    args: {
      policy: bag(false),
      "policy.create": callback(EVICTORS.fifo.create),
      ...Object.fromEntries(
        ["about", "uses", "reserves", "parameter", "parameter.about", "parameter.min", "parameter.max"].map(
          (name) => [`policy.${name}`, anything(undefined, "a config reads it, and evictors do not")],
        ),
      ),
      options: bag(true),
      "options.parameter": integer(undefined, 0, 2 ** 31),
      "options.seeds": integer(undefined, 1, 2 ** 31),
      "options.steps": integer(undefined, 1, 2 ** 31),
    },
  },
};

export const testingRows: Table = { ...mirror, ...device };
