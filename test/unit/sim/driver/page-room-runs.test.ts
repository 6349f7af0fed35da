/** The literature's evictions under the managed driver: the same counts as page by page. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EVICTORS } from "../../../../src/sim/policies/evict/index.ts";
import { openWorkload, simulate } from "../../../../src/sim.ts";
import { run } from "./one-thread.ts";

const test = suite("driver: room by pages, in runs");
test("stores of one thread are demand paging, page by page, with every policy", async () => {
  const spec = "zipf:size=2MiB,accesses=1500,exponent=0.8,writes=1,seed=5";
  const common = { agent: "device", deviceFrames: 100, cluster: "4K", prefetch: "none" } as const;
  for (const evict of Object.keys(EVICTORS) as (keyof typeof EVICTORS)[]) {
    // Those by groups name nothing without prefetch, and OPT looks ahead.
    if (["opt", "lru-2m", "lfu-2m", "lru-64k", "sl", "tbn"].includes(evict)) continue;
    const { device } = await simulate(openWorkload(spec), { ...common, evict, backing: "metadata" });
    const config = { deviceFrames: 100, prefetch: "none", evict, initial: "none" } as const;
    const { device: managed } = await run(spec, config);
    assert.equal([managed.pagesIn, managed.pagesOutDirty], [device.pagesIn, device.pagesOutDirty], evict);
  }
});
test.run();
