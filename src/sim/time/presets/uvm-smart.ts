/** The machine of UVM-Smart, a simulator of unified memory (GPGPU-Sim; ISCA 2019). */
import type { TimeModel } from "../model-file.ts";

const SOURCE = "UVM-Smart's configuration (GPGPU-Sim, ISCA 2019)";
const CYCLES = "at 1481 MHz";

export const uvmSmart: TimeModel = {
  schema: "heteromem-model/1",
  name: "uvm-smart",
  about:
    "UVM-Smart's link, far faults and remote accesses. Its cycles, as published, leave far faults out; a " +
    "walk of its page table takes 100 cycles, which is not counted here: its TLBs are not described",
  link: {
    formula: "uvm-smart",
    peak: { value: 12, unit: "GiB/s", kind: "simulated", source: SOURCE },
    slope: { value: 0.07292, unit: "1/KiB", kind: "simulated", source: SOURCE },
  },
  faultGroup: {
    eachFault: {
      value: 45,
      unit: "us",
      kind: "simulated",
      source: `${SOURCE}: a far fault, 66,645 cycles ${CYCLES}`,
    },
  },
  remote: {
    latency: {
      value: 0.135044,
      unit: "us",
      kind: "simulated",
      source: `${SOURCE}: 200 cycles ${CYCLES}`,
    },
  },
};
