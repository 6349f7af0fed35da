// Step points: places inside an operation at which somebody may look at the state. They are off unless the
// header has HDR_FLAG_STEPS. The operation notes that it has passed the point, then asks, and goes on when it
// is resumed; nothing may change in between.

import { HDR_FLAG_STEPS, HDR_FLAGS, HDR_REQ_EVENT, HDR_REQ_KIND } from "../../abi/header";
import { REQUEST_STEP } from "../../abi/request";
import { header, setHeader } from "../base/layout";

/** Returns whether somebody looks: then the request block has STEP_* `point`, and the operation suspends. */
export function stepPoint(point: u32): bool {
  if (!(header(HDR_FLAGS) & HDR_FLAG_STEPS)) return false;
  setHeader(HDR_REQ_KIND, REQUEST_STEP);
  setHeader(HDR_REQ_EVENT, point);
  return true;
}
