/**
 * S4: what a device that runs warps in parallel costs beside the serial replay where nothing faults: managed
 * memory, all of which is on the device, against HMM.
 */
import { comparing } from "../comparing.ts";

export default comparing({
  title: "the parallel front end where nothing faults",
  rival: "serial replay",
  target: 1.3,
  ours: { memoryModel: "managed" },
  theirs: {},
});
