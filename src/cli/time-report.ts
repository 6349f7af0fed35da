/** The text of what a run's time is spent on. */
import { CAUSES, type Resource, type TimeCause, type TimingReport } from "../sim.ts";
import { bar } from "./sparks.ts";
import { VALUE } from "./report-rows.ts";
import { count, duration, percent } from "./words.ts";

const RESOURCES: Readonly<Record<Resource, string>> = {
  cpu: "CPU",
  device: "device",
  driver: "driver",
  toDevice: "link to the device",
  toHost: "link to RAM",
  peer: "link between devices",
};

/** Columns of a label: causes have long names. */
const LABEL = 32;

function row(label: string, value: string, note: string): string {
  return `  ${label.padEnd(LABEL - 2)}${value.padStart(VALUE)}  ${note}`.trimEnd();
}

/** What a cause is called in a sentence. */
function called(cause: TimeCause): string {
  return CAUSES[cause].text;
}

/** The line that says what limits the run, by the model's derivatives. */
function limitLine({ limit, total }: TimingReport): string {
  if (limit === null) return "nothing takes time in this model";
  const { cause, saves } = limit;
  return (
    `limited by the ${called(cause)}: without it the run would take ${duration(total - saves)}, ` +
    `${percent(saves, total)} less (by the critical path)`
  );
}

/**
 * The text of a run's time; none without a time model.
 * @param bars whether each cause has a bar
 */
export function timeBlock(timing: TimingReport | null, bars = false): string[] {
  if (timing === null) return [];
  const { model, total, low, high, causes, utilization, untimed } = timing;
  const interval = low === high ? "" : `${duration(low)} to ${duration(high)} by the errors of the fits`;
  const most = Math.max(1, ...causes.map(({ critical }) => critical));
  const drawn = (critical: number): string => (bars ? `${bar(critical / most, 20).padEnd(20)}  ` : "");
  const sorted = [...causes].sort((a, b) => b.critical - a.critical);
  const lines = sorted.map(({ cause, count: times, critical, busy }) => {
    const beside = busy > critical ? `, and ${duration(busy - critical)} beside other work` : "";
    return row(
      called(cause),
      duration(critical),
      `${drawn(critical)}${percent(critical, total)}, ${count(times)} times${beside}`,
    );
  });
  const used = (Object.entries(utilization) as [Resource, number][])
    .filter(([, share]) => share > 0)
    .map(([resource, share]) => `${RESOURCES[resource]} ${percent(share, 1)}`);
  return [
    `Time (${model})`,
    row("total", duration(total), interval),
    ...lines,
    ...(used.length === 0 ? [] : [row("busy", "", used.join(", "))]),
    `  ${limitLine(timing)}`,
    ...(untimed.length === 0 ? [] : [`  without a time in this model: ${untimed.map(called).join(", ")}`]),
  ];
}
