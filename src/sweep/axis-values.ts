/** The values of an axis: lists, linear ranges, ranges that double, and seeds. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { parseBytes } from "../sim/size.ts";
import type { Json } from "./canonical.ts";
import { SweepError } from "./error.ts";
import type { AxisSpec, LabelledValue, LinearRange, Log2Range, Seeds } from "./spec.ts";

/** More values than this are a mistake. */
const VALUES_MAX = 100_000;
const UNITS = ["", "KiB", "MiB", "GiB", "TiB"];

/** A size as people write it: in the largest unit in which it is a whole number. */
function sizeText(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value > 0 && value % 1024 === 0 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value}${UNITS[unit]}`;
}

/** Numbers of a range's ends, and whether they are sizes: texts. */
function endsOf(axis: string, { from, to }: Log2Range): { first: number; last: number; sizes: boolean } {
  const sizes = typeof from === "string" || typeof to === "string";
  const numberOf = (value: number | string): number =>
    typeof value === "string" ? parseBytes(value) : value;
  const [first, last] = [numberOf(from), numberOf(to)];
  if (!(Number.isFinite(first) && Number.isFinite(last) && first <= last))
    throw new SweepError(`axes.${axis}: expected from and to, numbers or sizes, with from not above to`);
  return { first, last, sizes };
}

/** Sizes are whole pages where they are at least one. */
function inUnit(value: number, sizes: boolean): number | string {
  if (!sizes) return value;
  const whole = value >= PAGE_SIZE ? Math.round(value / PAGE_SIZE) * PAGE_SIZE : Math.round(value);
  return sizeText(whole);
}

function linearOf(axis: string, range: LinearRange): (number | string)[] {
  const { first, last, sizes } = endsOf(axis, range);
  const { step, points } = range;
  if ((step === undefined) === (points === undefined))
    throw new SweepError(`axes.${axis}.linear: expected step or points, and not both`);
  const given = typeof step === "string" ? parseBytes(step) : step;
  const distance = given ?? (points === 1 ? 0 : (last - first) / (points! - 1));
  const count = points ?? Math.floor((last - first) / distance + 1e-9) + 1;
  if (!(count >= 1 && count <= VALUES_MAX))
    throw new SweepError(`axes.${axis}.linear: expected a step above 0, and at most ${VALUES_MAX} values`);
  return Array.from({ length: count }, (_, i) => inUnit(first + i * distance, sizes));
}

function log2Of(axis: string, range: Log2Range): (number | string)[] {
  const { first, last, sizes } = endsOf(axis, range);
  const { points = 1 } = range;
  if (first <= 0) throw new SweepError(`axes.${axis}.log2: expected from above 0`);
  const count = Math.floor(Math.log2(last / first) * points + 1e-9) + 1;
  const values = Array.from({ length: count }, (_, i) => {
    const value = first * 2 ** (i / points);
    return inUnit(sizes || i % points === 0 ? value : Math.round(value), sizes);
  });
  return [...new Set(values)];
}

/** Returns seeds. Throws SweepError for a count below 1. */
export function seedsOf(where: string, seeds: Seeds): number[] {
  const { from = 1, count } = typeof seeds === "number" ? { count: seeds } : seeds;
  if (!(Number.isSafeInteger(count) && count >= 1 && count <= VALUES_MAX && Number.isSafeInteger(from)))
    throw new SweepError(`${where}: expected a count of seeds from 1 to ${VALUES_MAX}`);
  return Array.from({ length: count }, (_, i) => from + i);
}

/** Returns the values of an axis, in order. Throws SweepError for an axis without any, or with one twice. */
export function valuesOf(axis: string, spec: AxisSpec): readonly (Json | LabelledValue)[] {
  const values = (): readonly (Json | LabelledValue)[] => {
    if (Array.isArray(spec)) return spec as readonly Json[];
    if ("linear" in spec) return linearOf(axis, spec.linear);
    if ("log2" in spec) return log2Of(axis, spec.log2);
    if ("seeds" in spec) return seedsOf(`axes.${axis}.seeds`, spec.seeds);
    throw new SweepError(`axes.${axis}: expected a list of values, linear, log2 or seeds`);
  };
  const all = values();
  if (all.length === 0) throw new SweepError(`axes.${axis}: expected at least one value`);
  return all;
}
