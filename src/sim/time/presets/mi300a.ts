/** An MI300A: CPU and GPU share one memory. */
import type { TimeModel } from "../model-file.ts";

const PAPER = "arXiv 2508.12743 (IISWC 2025)";

export const mi300a: TimeModel = {
  schema: "heteromem-model/1",
  name: "mi300a",
  about:
    "an MI300A with XNACK: one memory, so nothing migrates and nothing is evicted; the GPU's first touch " +
    "of a page faults, one fault after the other",
  machine: {
    set: { memoryModel: "hmm", placement: "mirror" },
    without: ["prefetch", "prefetchFull", "evict", "deviceMemory", "deviceFrames", "initial", "devices"],
  },
  faultGroup: {
    eachFault: {
      value: 17,
      unit: "us",
      kind: "measured",
      source: `${PAPER}: a GPU fault takes 16 to 18 us; at most 1.1 million pages a second`,
      low: 16,
      high: 18,
    },
  },
  cpu: {
    fault: { value: 9, unit: "us", kind: "measured", source: `${PAPER}: a CPU fault takes about 9 us` },
  },
  remote: {
    memory: {
      read: {
        value: 1.85,
        unit: "TB/s",
        kind: "measured",
        source: `${PAPER}: managed memory with XNACK 1, 1.8 to 1.9 TB/s`,
        low: 1.8,
        high: 1.9,
      },
      write: {
        value: 1.85,
        unit: "TB/s",
        kind: "measured",
        source: `${PAPER}: managed memory with XNACK 1, 1.8 to 1.9 TB/s`,
        low: 1.8,
        high: 1.9,
      },
    },
  },
};
