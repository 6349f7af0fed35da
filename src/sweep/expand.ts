/** From a spec to its points: axes, replication, and what is included and excluded. */
import { valuesOf, seedsOf } from "./axis-values.ts";
import { canonical, type Json } from "./canonical.ts";
import { SweepError } from "./error.ts";
import { hasParameter, withField, type OpenModel } from "./fields.ts";
import { REPLICA, type LabelledValue, type PlannedJob, type Point, type RunFields } from "./spec.ts";
import type { SweepSpec } from "./spec.ts";

/** More points than this are a mistake. */
const JOBS_MAX = 5_000_000;

/** An axis with its values: what tables show, and the fields that it sets. */
interface Axis {
  name: string;
  values: { shown: Json; set: RunFields }[];
}

const isLabelled = (value: Json | LabelledValue): value is LabelledValue =>
  typeof value === "object" && value !== null && !Array.isArray(value) && "set" in value;

function axisOf(name: string, values: readonly (Json | LabelledValue)[]): Axis {
  const shown = values.map((value) => {
    if (isLabelled(value)) return { shown: value.label, set: value.set };
    const simple = typeof value !== "object" || value === null;
    return { shown: simple ? value : canonical(value), set: { [name]: value } };
  });
  const labels = shown.map((value) => canonical(value.shown));
  const twice = labels.find((label, i) => labels.indexOf(label) !== i);
  if (twice !== undefined) throw new SweepError(`axes.${name}: ${twice} is there twice`);
  return { name, values: shown };
}

/** The product of the axes, the last one fastest. */
function grid(axes: readonly Axis[]): { point: Point; set: RunFields }[] {
  const total = axes.reduce((product, { values }) => product * values.length, 1);
  if (total > JOBS_MAX) throw new SweepError(`axes: ${total} points; expected at most ${JOBS_MAX}`);
  return axes.reduce<{ point: Point; set: RunFields }[]>(
    (points, { name, values }) =>
      points.flatMap(({ point, set }) =>
        values.map((value) => ({
          point: { ...point, [name]: value.shown },
          set: { ...set, ...value.set },
        })),
      ),
    [{ point: {}, set: {} }],
  );
}

/** Whether a point has all values of an entry of `exclude`. */
function matches(point: Point, entry: RunFields): boolean {
  return Object.entries(entry).every(([axis, value]) => {
    const any: unknown[] = Array.isArray(value) ? value : [value];
    return any.some((one) => canonical(one) === canonical(point[axis] ?? null));
  });
}

function checkExclude(exclude: readonly RunFields[], axes: readonly Axis[]): void {
  exclude.forEach((entry, i) => {
    const unknown = Object.keys(entry).find((name) => !axes.some((axis) => axis.name === name));
    if (unknown !== undefined) throw new SweepError(`exclude[${i}]: ${unknown} is no axis`);
  });
}

/** A point of `include`: values of axes by what tables show, other fields as they are. */
function included(entry: RunFields, axes: readonly Axis[]): { point: Point; set: RunFields } {
  return Object.entries(entry).reduce<{ point: Point; set: RunFields }>(
    ({ point, set }, [name, value]) => {
      const known = axes.find((axis) => axis.name === name)?.values;
      const found = known?.find(({ shown }) => canonical(shown) === canonical(value));
      const shown = typeof value === "object" ? canonical(value) : (value as Json);
      return { point: { ...point, [name]: shown }, set: { ...set, ...(found?.set ?? { [name]: value }) } };
    },
    { point: {}, set: {} },
  );
}

/** Sets the fields of a point on the base; parameters and numbers of models come last. */
function configOf(base: RunFields, set: RunFields, open: OpenModel): RunFields {
  const nested = ([field]: [string, unknown]): number => Number(field.includes("."));
  return Object.entries(set)
    .sort((a, b) => nested(a) - nested(b))
    .reduce((config, [field, value]) => withField(config, field, value, open), base);
}

/** The names of a sweep's axes, in order; that of the replicas is last. */
export function axesOf({ axes = {}, replicate, include = [] }: SweepSpec): string[] {
  const more = include.flatMap((entry) => Object.keys(entry));
  const names = [...Object.keys(axes), ...(replicate === undefined ? [] : [REPLICA]), ...more];
  return [...new Set(names)];
}

/**
 * Returns the jobs of a sweep, in the order of its axes, each point once.
 * @param open opens a time model that an axis changes
 * @throws SweepError for axes that cannot be
 */
export function expand(spec: SweepSpec, open: OpenModel): PlannedJob[] {
  const { base = {}, axes = {}, replicate, include = [], exclude = [] } = spec;
  if (Object.hasOwn(axes, REPLICA)) throw new SweepError(`axes.${REPLICA}: expected another name`);
  const list = Object.entries(axes).map(([name, values]) => axisOf(name, valuesOf(name, values)));
  const seeds = replicate === undefined ? null : seedsOf("replicate", replicate);
  checkExclude(exclude, list);
  const points = Object.keys(axes).length === 0 && include.length > 0 ? [] : grid(list);
  const kept = points.filter(({ point }) => !exclude.some((entry) => matches(point, entry)));
  const all = [...kept, ...include.map((entry) => included(entry, list))];
  const jobs = all.flatMap(({ point, set }) => {
    const config = configOf(base, set, open);
    if (seeds === null) return [{ point, config }];
    return seeds.map((seed) => {
      const seeded = hasParameter(config, "seed") ? withField(config, "workload.seed", seed, open) : config;
      return { point: { ...point, [REPLICA]: seed }, config: { ...seeded, seed } };
    });
  });
  return [...new Map(jobs.map((job) => [canonical(job.point), job])).values()];
}
