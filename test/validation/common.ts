/** The model that the page validates, and what its sections share. */
import { TIME_PRESETS } from "../../src/sim.ts";
import type { Oversubscribed } from "./figures.ts";

export const MODEL = TIME_PRESETS["pcie3-1080ti"];
export const MIB = 2 ** 20;
export const PS_PER_US = 1e6;
/** Errors of the model's fits, in percent. */
export const ERRORS = { toDevice: 2.9, toHost: 1.6, group: 11 };

/** An interval of `percent` around a value. */
export function around(value: number, percent: number): readonly [number, number] {
  return [value * (1 - percent / 100), value * (1 + percent / 100)];
}

export const nameOf = ({ program, percent }: Oversubscribed): string => `${program} ${percent} %`;
