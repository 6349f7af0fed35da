/** Random accesses to devices with managed memory that are all linked. */
import { suite } from "uvu";
import { testRandom } from "./managed-random.ts";

const devices = suite("sim: random accesses to linked devices with managed memory");
testRandom(devices, {
  "links, with density prefetch": { peers: "all", prefetch: "density:51" },
  "accessed-by and preferred": { peers: "all", advise: ["a=accessed-by-device@3", "a=preferred-device@2"] },
  "by pages": { peers: "all", evict: "lru", deviceMemory: "256KiB" },
  counters: { peers: "all", placement: "counters", counterThreshold: 8 },
});
devices.run();
