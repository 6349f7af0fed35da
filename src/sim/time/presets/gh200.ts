/** A Grace Hopper superchip whose GPU uses the system's page tables. */
import type { TimeModel } from "../model-file.ts";

const C2C = "NVIDIA's GH200 specification: NVLink-C2C, 450 GB/s each way";
const HBM = "OpenCL-benchmark on a GH200: HBM3";

export const gh200: TimeModel = {
  schema: "heteromem-model/1",
  name: "gh200",
  about:
    "a GH200 with system-allocated memory and pages of 64 KiB: address translation services, so no far " +
    "faults; access counters move what the GPU accesses often",
  machine: {
    set: { memoryModel: "managed", placement: "counters", prefetch: "sl", counterThreshold: 256 },
    without: ["devices", "initial"],
    addressTranslation: true,
  },
  link: {
    formula: "latency-bandwidth",
    toDevice: { bandwidth: { value: 450, unit: "GB/s", kind: "specified", source: C2C } },
    toHost: { bandwidth: { value: 450, unit: "GB/s", kind: "specified", source: C2C } },
  },
  cpu: {
    memory: {
      read: {
        value: 384,
        unit: "GB/s",
        kind: "specified",
        source: "NVIDIA's GH200 specification: LPDDR5X, 384 to 512 GB/s by its size",
        low: 384,
        high: 512,
      },
      write: {
        value: 384,
        unit: "GB/s",
        kind: "specified",
        source: "NVIDIA's GH200 specification: LPDDR5X, 384 to 512 GB/s by its size",
        low: 384,
        high: 512,
      },
    },
  },
  device: {
    memory: {
      read: { value: 3615, unit: "GB/s", kind: "measured", source: HBM },
      write: { value: 3705, unit: "GB/s", kind: "measured", source: HBM },
    },
  },
  remote: {
    memory: {
      read: {
        value: 355,
        unit: "GB/s",
        kind: "measured",
        source: "the GPU reading the host's memory, 335 to 375 GB/s (2026-09)",
        low: 335,
        high: 375,
      },
      write: { value: 450, unit: "GB/s", kind: "specified", source: C2C },
    },
  },
};
