/** The report on a run's time: by cause and resource, with an interval, and what limits it. */
import { CAUSE_NAMES, CAUSES, RESOURCES, type Resource, type TimeCause } from "./causes.ts";
import type { TimeModel } from "./model-file.ts";
import type { CauseTime } from "./timeline.ts";

/** What a cause took. Times are in picoseconds. */
export interface CauseReport extends CauseTime {
  cause: TimeCause;
  resource: Resource;
}

/** What the run spends most of its time on. */
export interface LimitReport {
  cause: TimeCause;
  /** Picoseconds that the run would be shorter if the cause took no time: its part of the critical path. */
  saves: number;
}

/** The time of a run, in picoseconds. The critical times of all causes are the total. */
export interface TimingReport {
  /** The model's name. */
  model: string;
  total: number;
  /** The total if each cause took as much less, or more, as the errors of the model's fits say. */
  low: number;
  high: number;
  /** Those that occurred. */
  causes: CauseReport[];
  /** By resource: the picoseconds that it was busy. */
  busy: Record<Resource, number>;
  /** By resource: busy, as a share of the total. */
  utilization: Record<Resource, number>;
  /** By the model's derivatives; null: nothing takes time. */
  limit: LimitReport | null;
  /** What the model has no time for. */
  untimed: TimeCause[];
}

/** Returns the report of what the causes took; `tail` is the time that copies take after the last event. */
export function timingOf(
  model: TimeModel,
  all: Readonly<Record<TimeCause, CauseTime>>,
  tail: number,
): TimingReport {
  const causes = CAUSE_NAMES.filter((cause) => all[cause].count > 0 && all[cause].busy > 0).map((cause) => {
    const { count, busy, critical } = all[cause];
    const late = cause === "toHost" ? tail : 0;
    return { cause, resource: CAUSES[cause].resource, count, busy, critical: critical + late };
  });
  const total = causes.reduce((sum, { critical }) => sum + critical, 0);
  const busy = Object.fromEntries(RESOURCES.map((resource) => [resource, 0])) as Record<Resource, number>;
  for (const one of causes) busy[one.resource] += one.busy;
  const utilization = Object.fromEntries(
    RESOURCES.map((resource) => [resource, total === 0 ? 0 : busy[resource] / total]),
  ) as Record<Resource, number>;
  const error = causes.reduce((sum, { cause, critical }) => {
    const percent = model.errors?.[CAUSES[cause].error]?.value ?? 0;
    return sum + Math.round((critical * percent) / 100);
  }, 0);
  const most = causes.reduce<CauseReport | null>(
    (found, one) => (found === null || one.critical > found.critical ? one : found),
    null,
  );
  return {
    model: model.name,
    total,
    low: total - error,
    high: total + error,
    causes,
    busy,
    utilization,
    limit: most === null ? null : { cause: most.cause, saves: most.critical },
    untimed: untimedBy(model, all.peerAccess.count > 0),
  };
}

/** Whether a model has no time for what an agent computes. */
function lacksWork({ instruction, access, memory }: NonNullable<TimeModel["device"]>): boolean {
  return instruction === undefined && access === undefined && memory === undefined;
}

/** What a model may have no time for, which programs do all the same; few access other devices' memory. */
function untimedBy(
  { cpu = {}, device = {}, remote, peer, link }: TimeModel,
  overLinks: boolean,
): TimeCause[] {
  const missing: [TimeCause, boolean][] = [
    ["cpuWork", lacksWork(cpu)],
    ["cpuFault", cpu.fault === undefined],
    ["compute", lacksWork(device)],
    ["remote", remote === undefined],
    ["peerAccess", overLinks && peer === undefined && link?.peer === undefined],
    ["toDevice", link === undefined],
  ];
  return missing.filter(([, lacks]) => lacks).map(([cause]) => cause);
}
