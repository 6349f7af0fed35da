/** The time models that heteromem has, by name. */
import type { TimeModel } from "../model-file.ts";
import { gh200 } from "./gh200.ts";
import { mi300a } from "./mi300a.ts";
import { pcie3Gtx1080Ti } from "./pcie3-1080ti.ts";
import { pcie4A5000 } from "./pcie4-a5000.ts";
import { uvmSmart } from "./uvm-smart.ts";

export const TIME_PRESETS: Readonly<Record<string, TimeModel>> = Object.fromEntries(
  [pcie3Gtx1080Ti, uvmSmart, pcie4A5000, gh200, mi300a].map((model) => [model.name, model]),
);
