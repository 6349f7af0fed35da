/** An RTX A5000 on PCIe 4.0 ×16. */
import type { TimeModel } from "../model-file.ts";

const ARIADNE = "ARIADNE (HPCA 2026): RTX A5000, PCIe 4.0, driver 535.86";
const TWICE =
  "twice the rate fitted on PCIe 3.0 (model pcie3-1080ti): PCIe 4.0 has twice its signalling rate";
const LATENCY = "fitted on a GTX 1080 Ti, PCIe 3.0 (model pcie3-1080ti)";

export const pcie4A5000: TimeModel = {
  schema: "heteromem-model/1",
  name: "pcie4-a5000",
  about:
    "an RTX A5000 on PCIe 4.0 x16 with managed memory: the service of blocks by measurements, a derived link",
  link: {
    formula: "latency-bandwidth",
    toDevice: {
      latency: { value: 0.826, unit: "us", kind: "borrowed", source: LATENCY },
      bandwidth: { value: 23.44, unit: "GB/s", kind: "derived", source: TWICE },
    },
    toHost: {
      latency: { value: 0.737, unit: "us", kind: "borrowed", source: LATENCY },
      bandwidth: { value: 26.32, unit: "GB/s", kind: "derived", source: TWICE },
    },
  },
  faultGroup: {
    eachBlock: {
      value: 20,
      unit: "us",
      kind: "measured",
      source: `${ARIADNE}: about 20 us a VA block`,
      low: 10,
      high: 50,
    },
    populate: {
      value: 2,
      unit: "link times",
      kind: "measured",
      source: `${ARIADNE}: populating takes about twice as long as a copy or an eviction`,
    },
  },
  evictions: "before",
};
