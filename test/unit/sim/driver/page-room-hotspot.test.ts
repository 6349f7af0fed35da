/** Hotspot as UVM-Smart's logs have it, under the managed driver, with batches. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { SimulationConfig } from "../../../../src/sim.ts";
import { run } from "./one-thread.ts";

const rows = suite("driver: hotspot as UVM-Smart's logs have it, with batches");
/** Faults, pages in, dirty out, clean out, fetched again. */
const ROWS: [config: SimulationConfig, counts: number[]][] = [
  [{ deviceMemory: "1024MiB", prefetch: "none", evict: "lru-2m" }, [3072, 3072, 0, 0, 0]],
  [{ deviceMemory: "1024MiB", prefetch: "sl", evict: "lru-2m" }, [192, 3072, 0, 0, 0]],
  [{ deviceMemory: "1024MiB", prefetch: "tbn", evict: "lrm" }, [36, 3072, 0, 0, 0]],
  [{ deviceFrames: 2792, prefetch: "tbn", evict: "lru-2m" }, [72, 6144, 2560, 1024, 3072]],
  [
    { deviceFrames: 2792, prefetch: "tbn", prefetchFull: "none", evict: "tbn" },
    [3363, 6144, 2560, 1024, 3072],
  ],
];
for (const [config, counts] of ROWS)
  rows(JSON.stringify(config), async () => {
    const { faults, device } = await run("hotspot:init=none,read=none", config);
    const { pagesIn, pagesOutDirty, pagesOutClean, pagesInAgain, bytesCopied } = device;
    assert.equal([faults.device, pagesIn, pagesOutDirty, pagesOutClean, pagesInAgain], counts);
    assert.is(bytesCopied, pagesIn * 4096); // data lie on the host at first
  });
rows.run();
