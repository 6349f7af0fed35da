/** Numbers and listeners for tests of time models. */
import type { Rate, Time } from "../../../../src/sim/time/quantity.ts";
import type { TimeListener } from "../../../../src/sim.ts";

export function time(value: number, unit: Time["unit"]): Time {
  return { value, unit, kind: "measured", source: "test" };
}

export function rate(value: number, unit: Rate["unit"]): Rate {
  return { value, unit, kind: "measured", source: "test" };
}

/** Hears nothing. */
export const NO_LISTENER: TimeListener = {
  span: () => {},
  transfer: () => {},
  cpuFaultBegin: () => {},
  cpuFaultEnd: () => {},
  groupBegin: () => {},
  groupEnd: () => {},
  deviceFault: () => {},
  warpsWait: () => {},
  warpsGoOn: () => {},
  resident: () => {},
  kernelBegin: () => {},
  kernelEnd: () => {},
};
