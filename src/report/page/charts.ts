/** The line charts of a run. */
import type { Picture } from "../picture.ts";
import type { LineChart } from "./lines.ts";
import { bytes, count, percent } from "./words.ts";

/** Powers of two: distances of ticks in bytes. */
const BYTE_STEPS = Array.from({ length: 50 }, (_, i) => 2 ** i);

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function faults({ series }: Picture): LineChart {
  const all = [sum(series.cpuFaults), sum(series.deviceFaults), sum(series.groups)].map(count);
  return {
    id: "faults",
    title: "Faults over time",
    about: "In each step of the axis. A group is a batch of device faults that the driver serves at once.",
    shown: count,
    lines: [
      { label: "device faults", color: "--device", values: series.deviceFaults },
      { label: "CPU faults", color: "--ram", values: series.cpuFaults },
      { label: "groups", color: "--third", values: series.groups, dash: [4, 3] },
    ],
    alternative: `Faults over time: ${all[1]} device faults in ${all[2]} groups, ${all[0]} CPU faults.`,
  };
}

function moves({ series }: Picture): LineChart {
  const all = [sum(series.bytesToDevice), sum(series.bytesToHost), sum(series.bytesEvicted)].map(bytes);
  return {
    id: "moves",
    title: "Migrations over time",
    about: "Bytes that were copied in each step of the axis.",
    shown: bytes,
    steps: BYTE_STEPS,
    lines: [
      { label: "to the device", color: "--device", values: series.bytesToDevice },
      { label: "to RAM", color: "--ram", values: series.bytesToHost },
      { label: "evicted", color: "--fourth", values: series.bytesEvicted, dash: [4, 3] },
    ],
    alternative: `Migrations over time: ${all[0]} to the device, ${all[1]} to RAM, ${all[2]} of it evicted.`,
  };
}

function link({ series, axis, report }: Picture): LineChart {
  const use = (values: readonly number[]): number[] => values.map((value) => Math.min(1, value / axis.width));
  const { utilization } = report.timing!;
  const [down, up] = [utilization.toDevice, utilization.toHost].map(percent);
  return {
    id: "link",
    title: "Link use",
    about: "The share of the time that transfers are on the link, each way.",
    shown: percent,
    mean: true,
    least: 0.01,
    lines: [
      { label: "to the device", color: "--device", values: use(series.busyToDevice) },
      { label: "to RAM", color: "--ram", values: use(series.busyToHost), dash: [4, 3] },
    ],
    alternative: `Link use over time: on average ${down} to the device, ${up} to RAM.`,
  };
}

function resident({ series, report }: Picture): LineChart {
  return {
    id: "resident",
    title: "Device memory in use",
    about: `Of ${bytes(report.memory.device)}, on average in each step of the axis.`,
    shown: bytes,
    steps: BYTE_STEPS,
    mean: true,
    lines: [{ label: "on the device", color: "--device", values: series.resident }],
    alternative: `Device memory in use over time: at most ${bytes(Math.max(0, ...series.resident))}.`,
  };
}

/** The charts of a run; use of the link only where there are times. */
export function chartsOf(picture: Picture): LineChart[] {
  const timed = picture.report.timing === null ? [] : [link(picture)];
  return [faults(picture), moves(picture), ...timed, resident(picture)];
}
