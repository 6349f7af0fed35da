/** Snapshots of managed simulations whose devices, time or fault buffers are not the default. */
import { suite } from "uvu";
import { testConfigs } from "./interrupted.ts";

const test = suite("driver: snapshots, devices");
testConfigs(test, [
  { advise: ["a=read-mostly"], epoch: "kernel", deviceThreads: "one", thrashingLapse: 100_000 },
  { evict: "random", seed: 4, replay: "batch", fetch: "timed", deviceThreads: "split:2" },
  { placement: "resident", deviceMemory: "16MiB", memoryModel: "hmm" },
  { time: "pcie3-1080ti" },
]);
test.run();
