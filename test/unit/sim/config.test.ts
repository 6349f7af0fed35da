/** `heteromem/sim`: records that users write, and configs. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CONFIG_FIELDS } from "../../../src/sim/config.ts";
import { parseBytes } from "../../../src/sim/size.ts";
import {
  BACKINGS,
  BOUNDS,
  ConfigError,
  EVICTIONS,
  INITIALS,
  MANAGED_EVICTIONS,
  MANAGED_PLACEMENTS,
  MEMORY_MODELS,
  PLACEMENTS,
  PREFETCHERS,
  Simulation,
  TIME_MODELS,
  writeRecord,
  type Access,
  type EvictPolicy,
  type SimulationConfig,
} from "../../../src/sim.ts";

const records = suite("sim: records");
records("a record is two words, as assembly/abi/record.ts draws it", () => {
  const words = new BigUint64Array(4);
  const access = { kind: "modify", address: 0x123456789abc, size: 0xfedc, agent: 3, thread: 0x4567 } as const;
  writeRecord(words, 1, { ...access, id: 0x89abcdef });
  assert.equal([...words], [0n, 0n, 0xfedc_1234_5678_9abcn, 0x89ab_cdef_4567_0302n]);
});
records("what does not fit is refused", () => {
  const words = new BigUint64Array(2);
  const wrong: [Access, RegExp][] = [
    [{ kind: "load", address: 2 ** 48 }, /address must be an integer from 0 to 281474976710655/],
    [{ kind: "load", size: 65536 }, /size must be an integer from 0 to 65535, got 65536/],
    [{ kind: "load", agent: 256 }, /agent must be/],
    [{ kind: "load", thread: -1 }, /thread must be/],
    [{ kind: "load", id: 0.5 }, /id must be/],
    [{ kind: "fetch" as "load" }, /kind must be load, store, modify, kernelBegin, kernelEnd/],
  ];
  for (const [access, says] of wrong) assert.throws(() => writeRecord(words, 0, access), says);
  assert.throws(() => writeRecord(words, 1, { kind: "load" }), /index must be an integer from 0 to 0/);
  assert.equal([...words], [0n, 0n]);
});
records.run();

const config = suite("sim: config");
config("sizes take K, KB and KiB, and no unit", () => {
  assert.equal(["64K", "64KB", "64kib", "65536", "65536 B"].map(parseBytes), Array(5).fill(65536));
  assert.equal([parseBytes("1.5GiB"), parseBytes("2T")], [1.5 * 2 ** 30, 2 ** 41]);
  assert.ok(["", "lots", "-1", "1e6", "0.3", "99999999999999999999"].map(parseBytes).every(Number.isNaN));
});
const MANAGED = { memoryModel: "managed" } as const;
const wrong: [SimulationConfig, string | RegExp][] = [
  [{ systemMemory: "lots" }, "systemMemory lots: expected a size such as 65536, 256KiB, 64MiB or 1.5GiB"],
  [{ systemMemory: 1000 }, "systemMemory 1000: expected a whole number of 4096-byte pages"],
  [{ deviceMemory: "0" }, "deviceMemory 0: expected at least 64KiB"],
  [{ placement: "both" as "mirror" }, "placement both: expected migrate or mirror or explicit or resident"],
  [
    { placement: "toString" as "mirror" },
    "placement toString: expected migrate or mirror or explicit or resident",
  ],
  [{ prefetch: "all" as "sl" }, "prefetch all: expected cluster64K or none or sl or tbn or sequential:N"],
  [
    { prefetch: "sequential:0" },
    "prefetch sequential:0: expected cluster64K or none or sl or tbn or sequential:N",
  ],
  [{ prefetchFull: "sl:4" as "sl" }, /^prefetchFull sl:4: expected cluster64K or none/],
  [{ evict: "best" as "lru" }, /^evict best: expected lru or lru-4k or .* or segfifo:N or sl or tbn or opt/],
  [{ evict: "segfifo:101" }, /^evict segfifo:101: expected lru or/],
  [{ evict: { about: "none" } as unknown as EvictPolicy }, /^evict {"about":"none"}: expected lru or/],
  [{ evict: "lru-4k" }, "evict lru-4k: expected cluster 4K: what moves together leaves together"],
  [{ evict: "opt" }, "evict opt: expected prefetch none: OPT is demand paging"],
  [
    { devices: 2, evict: "opt", prefetch: "none" },
    "evict opt: expected one device: OPT knows the accesses to come of one memory",
  ],
  [{ devices: 2, bound: "opt" }, "bound opt: expected one device: a bound is on its memory"],
  [{ cluster: "8K" }, "cluster 8K: expected 4K or 64K"],
  [{ deviceFrames: 15 }, "deviceFrames 15: expected a whole number from 16 to 134217728"],
  [{ deviceFrames: 0, cluster: "4K" }, "deviceFrames 0: expected a whole number from 1 to 134217728"],
  [
    { deviceFrames: 16, deviceMemory: "64K" },
    "deviceFrames 16: expected no deviceMemory beside it: both say how much there is",
  ],
  [{ seed: -1 }, "seed -1: expected a whole number from 0 to 4294967295"],
  [{ initial: "device" as "host" }, "initial device: expected none or host"],
  [{ bound: "lru" as "opt" }, "bound lru: expected opt"],
  [{ bound: "opt", skip: 1 }, "bound opt: expected neither skip nor roi: a bound is on the whole run"],
  [{ memoryModel: "shared" as "hmm" }, "memoryModel shared: expected hmm or managed"],
  [{ placement: "counters" }, "placement counters: expected migrate or mirror or explicit or resident"],
  [{ prefetch: "density:51" }, /^prefetch density:51: expected cluster64K or none/],
  [{ evict: "lrm" }, /^evict lrm: expected lru or/],
  [{ advise: ["a=read-mostly"] }, 'advise ["a=read-mostly"]: expected memoryModel managed, which has it'],
  [{ schedules: 2 }, "schedules 2: expected memoryModel managed, which has it"],
  [{ ...MANAGED, deviceMemory: "1MiB" }, "deviceMemory 1MiB: expected at least 2MiB with managed memory"],
  [
    { placement: "explicit", deviceMemory: "1MiB" },
    "deviceMemory 1MiB: expected at least 2MiB with placement explicit",
  ],
  [{ placement: "resident", devices: 2 }, "devices 2: expected one device with placement resident"],
  [
    { ...MANAGED, evict: "best" as "lru" },
    /^evict best: expected lrm or lru or lru-4k or .* or opt, or an EvictPolicy/,
  ],
  [
    { ...MANAGED, evict: "opt" },
    "evict opt: expected memoryModel hmm: OPT is demand paging, without batches",
  ],
  [{ ...MANAGED, reserve: 5 }, "reserve 5: expected an evict with an order of use, such as lru-2m; not lrm"],
  [
    { evict: "fifo", reserve: 5 },
    /^reserve 5: expected evict lru or lru-4k or lru-64k or lru-2m or sl or tbn, which keeps .*; not fifo/,
  ],
  [{ reserve: 100 }, "reserve 100: expected a whole number from 0 to 99"],
  [{ freeBuffer: -1 }, "freeBuffer -1: expected a whole number from 0 to 99"],
  [{ ...MANAGED, devices: 2, placement: "smart" }, "devices 2: expected one device with placement smart"],
  [
    { ...MANAGED, prefetch: "density:101" },
    "prefetch density:101: expected none or sl or tbn or sequential:N or density:N with managed memory",
  ],
  [{ ...MANAGED, failAlloc: 1 }, "failAlloc 1: expected no failing allocation with managed memory"],
  [
    { ...MANAGED, counterThreshold: 5 },
    "counterThreshold 5: expected placement counters or adaptive, which have it",
  ],
  [{ ...MANAGED, remotePenalty: 5 }, "remotePenalty 5: expected placement adaptive, which has it"],
  [
    { ...MANAGED, placement: "adaptive", remoteReads: "never" as "always" },
    "remoteReads never: expected adaptive or always or oversubscribed",
  ],
  [{ ...MANAGED, placement: "smart", evict: "lrm" }, /^evict lrm: expected a policy by pages/],
  [{ ...MANAGED, placement: "smart", prefetchFull: "sl" }, /^prefetchFull sl: expected one prefetcher/],
  [{ ...MANAGED, replay: "never" as "once" }, "replay never: expected batch-flush or batch or block or once"],
  [{ ...MANAGED, fetch: "all" as "timed" }, "fetch all: expected complete or timed"],
  [{ ...MANAGED, thrashingLapse: 0 }, "thrashingLapse 0: expected a whole number from 1 to 1000000"],
  [
    { ...MANAGED, deviceThreads: "split:0" },
    "deviceThreads split:0: expected trace or one or split:N, with N from 1 to 65535",
  ],
  [{ ...MANAGED, sms: 0 }, "sms 0: expected a whole number from 1 to 1024"],
  [{ ...MANAGED, schedules: 65 }, "schedules 65: expected a whole number from 1 to 64"],
  [{ ...MANAGED, thrashing: "no" as "on" }, "thrashing no: expected on or off"],
  [
    { ...MANAGED, advise: ["a=none"] },
    "advise a=none: expected NAME=ADVICE, with read-mostly, preferred-cpu, preferred-device, " +
      "accessed-by-cpu, accessed-by-device",
  ],
  [
    { time: "fast" as "none" },
    /^time fast: expected none or pcie3-1080ti or .* or mi300a, or a model's file$/,
  ],
  [{ skip: -1 }, "skip -1: expected a whole number from 0 on"],
  [{ roi: [5, 5] }, "roi [5,5]: expected FROM-TO, two numbers of accesses with FROM below TO"],
  [{ roi: "5" }, "roi 5: expected FROM-TO, two numbers of accesses with FROM below TO"],
  [{ epoch: 0 }, "epoch 0: expected a whole number of accesses from 1 on, or kernel"],
  [{ agent: "gpu" as "cpu" }, "agent gpu: expected trace, cpu, device or threads:LIST"],
  [
    { agent: { threads: [65536] } },
    'agent {"threads":[65536]}: expected threads from 0 to 65535, such as threads:0-31,64',
  ],
  [{ devices: 0 }, "devices 0: expected a whole number from 1 to 7"],
  [{ devices: 8 }, "devices 8: expected a whole number from 1 to 7"],
  [{ agent: "device@2" }, "agent device@2: expected device 1, the only one"],
  [{ agent: "threads:0-3@4", devices: 3 }, "agent threads:0-3@4: expected a device from 1 to 3"],
  [
    { deviceRanges: ["a=0x1000-0x2000@0"], devices: 2 },
    "deviceRanges a=0x1000-0x2000@0: expected a device from 1 to 2",
  ],
  [{ ranges: ["a=0x1000-0x2000@1"] }, "ranges a=0x1000-0x2000@1: expected [NAME=]0xSTART-0xEND"],
  [{ ranges: ["x"] }, "ranges x: expected [NAME=]0xSTART-0xEND"],
  [
    { ranges: [{ start: 5, end: 5 }] },
    "ranges 0x5-0x5: expected a range that is not empty: its end is the first address after it",
  ],
  [
    { deviceRanges: ["0x0-0x1000000000000f"] },
    "deviceRanges 0x0-0x1000000000000f: expected addresses below 2^48",
  ],
  [{ failAlloc: 2 ** 32 }, "failAlloc 4294967296: expected a whole number from 1 to 4294967295"],
  [
    { policy: "mirror" } as SimulationConfig,
    `policy mirror: expected one of ${[...CONFIG_FIELDS].join(", ")}`,
  ],
];
for (const [field, message] of wrong) {
  config(String(message), async () => {
    const error = await Simulation.create(field).then(
      () => null,
      (error: unknown) => error as Error,
    );
    assert.instance(error, ConfigError);
    if (typeof message === "string") assert.is(error?.message, message);
    else assert.match(error?.message ?? "", message);
  });
}
config("the published schema has the fields of a config, and their names", () => {
  const schema = JSON.parse(readFileSync("schema/config.schema.json", "utf8")) as {
    properties: Record<string, { enum?: string[]; anyOf?: { enum?: string[] }[] }>;
    definitions: Record<string, { anyOf: { enum?: string[] }[] }>;
  };
  const fields = Object.keys(schema.properties);
  assert.equal(fields.slice(fields.indexOf("systemMemory")), [...CONFIG_FIELDS]);
  const names = {
    placement: { ...PLACEMENTS, ...MANAGED_PLACEMENTS, "first-touch": "", remote: "" },
    initial: INITIALS,
    bound: BOUNDS,
    memoryModel: MEMORY_MODELS,
  };
  assert.equal(schema.properties.time.anyOf?.[0].enum, Object.keys(TIME_MODELS));
  for (const [field, table] of Object.entries({ ...names, backing: BACKINGS }))
    assert.equal(schema.properties[field].enum, Object.keys(table));
  const evict = { ...EVICTIONS, ...MANAGED_EVICTIONS };
  for (const [field, table] of Object.entries({ prefetch: PREFETCHERS, evict }))
    assert.equal(schema.definitions[field].anyOf[0].enum, Object.keys(table));
});
config.run();
