/** A GeForce GTX 1080 Ti on PCIe 3.0 ×16, from profiles of managed memory. */
import type { TimeModel } from "../model-file.ts";

const FIT =
  "least squares over nvprof's tables of programs on an oversubscribed GTX 1080 Ti (docs/validation.md)";
const LINK_ERRORS = "largest error of the fit over all programs; docs/validation.md";

export const pcie3Gtx1080Ti: TimeModel = {
  schema: "heteromem-model/1",
  name: "pcie3-1080ti",
  about:
    "a GTX 1080 Ti on PCIe 3.0 x16 with managed memory: its link and its fault groups. What the kernels " +
    "compute has no time here",
  link: {
    formula: "latency-bandwidth",
    toDevice: {
      latency: { value: 0.826, unit: "us", kind: "fitted", source: FIT },
      bandwidth: { value: 11.72, unit: "GB/s", kind: "fitted", source: FIT },
    },
    toHost: {
      latency: { value: 0.737, unit: "us", kind: "fitted", source: FIT },
      bandwidth: { value: 13.16, unit: "GB/s", kind: "fitted", source: FIT },
    },
  },
  faultGroup: {
    fixed: { value: 99.6, unit: "us", kind: "fitted", source: FIT },
    eachTransfer: { value: 5.55, unit: "us", kind: "fitted", source: FIT },
  },
  evictions: "background",
  cpu: {
    fault: {
      value: 9,
      unit: "us",
      kind: "borrowed",
      source: "a CPU fault of an MI300A: arXiv 2508.12743 (IISWC 2025); none is known of this machine",
    },
  },
  errors: {
    toDevice: { value: 2.9, unit: "%", kind: "fitted", source: LINK_ERRORS },
    toHost: { value: 1.6, unit: "%", kind: "fitted", source: LINK_ERRORS },
    group: { value: 11, unit: "%", kind: "fitted", source: "mean error of the fit; the worst is 38 %" },
  },
};
