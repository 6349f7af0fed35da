/** The sections of the page, each computed from runs and from the published figures. */
import { fitGroups, fitLink, type Fit, type Profile } from "../../src/sim/time/fit.ts";
import { costsOf } from "../../src/sim/time/costs.ts";
import { openWorkload, simulate, type SimulationConfig, type TimeModel } from "../../src/sim.ts";
import { around, ERRORS, MIB, MODEL, nameOf, PS_PER_US } from "./common.ts";
import { ADD, GTX_1080_TI, SLOWDOWNS, TITAN_V, UVM_SMART } from "./figures.ts";
import { runManaged, titanBatches, type ManagedFigures } from "./managed.ts";
import { TRACES } from "./simulated.ts";
import type { Row } from "./table.ts";

const ADD_SPEC = "add:size=8MiB,grain=4096";
const GIB = 2 ** 30;

const costs = costsOf(MODEL);

/** Microseconds of transfers by the model: their latencies, and their bytes. */
function linkTime(direction: "toDevice" | "toHost", count: number, bytes: number): number {
  const each = costs[direction](0);
  return (count * each + costs[direction](bytes) - each) / PS_PER_US;
}

/** Microseconds of fault groups by the model. */
function groupTime(groups: number, transfers: number, bytes: number): number {
  const { fixed, eachTransfer } = costs;
  return (groups * fixed + transfers * eachTransfer) / PS_PER_US + linkTime("toDevice", transfers, bytes);
}

/** Counts of `add`, which are exact, and its times on four GPUs by the 1080 Ti's constants. */
export function add(): { counts: Row[]; times: Row[] } {
  const run = runManaged(ADD_SPEC, 64, MODEL);
  const exact = (what: string, published: number, ours: number): Row => ({
    what,
    published,
    ours,
    status: "exact",
  });
  const [h2d, d2h, group] = [run.toDevice.time, run.toHost.time, run.groupTime].map((ps) => ps / PS_PER_US);
  const time = (what: string, published: number, ours: number, percent: number): Row => ({
    what,
    published,
    ours,
    status: "predicted",
    digits: 1,
    interval: around(ours, percent),
  });
  return {
    counts: [
      exact("transfers to the device", 48, run.toDevice.count),
      exact("transfers to the host", 24, run.toHost.count),
      exact("fault groups", 12, run.groups),
      exact("CPU faults", 36, run.cpuFaults),
    ],
    times: ADD.flatMap(([gpu, toDevice, toHost, groups]) => [
      time(`${gpu}: to the device, µs`, toDevice, h2d, ERRORS.toDevice),
      time(`${gpu}: to the host, µs`, toHost, d2h, ERRORS.toHost),
      time(`${gpu}: 12 groups, µs`, groups * 1000, group, ERRORS.group),
    ]),
  };
}

/** UVM-Smart's rows of hotspot, and the batches of a Titan V. */
export async function exactRows(): Promise<Row[]> {
  const names = ["faults", "pages in", "dirty out", "clean out", "fetched again"];
  const rows: Row[] = [];
  for (const [name, config, counts] of UVM_SMART) {
    const common = { initial: "host", backing: "metadata", systemMemory: "32MiB" } as const;
    const settings = { ...common, ...config } as SimulationConfig;
    const { faults, device } = await simulate(openWorkload("hotspot:init=none,read=none"), settings);
    const { pagesIn, pagesOutDirty, pagesOutClean, pagesInAgain } = device;
    const ours = [faults.device, pagesIn, pagesOutDirty, pagesOutClean, pagesInAgain];
    counts.forEach((published, i) =>
      rows.push({ what: `${name}: ${names[i]}`, published, ours: ours[i], status: "exact" }),
    );
  }
  const batches = titanBatches();
  TITAN_V.forEach((published, i) =>
    rows.push({ what: `Titan V: faults in batch ${i + 1}`, published, ours: batches[i], status: "exact" }),
  );
  return rows;
}

/** The model's times from the published counts: link and groups of the 1080 Ti. */
export function fittedRows(): { link: Row[]; groups: Row[] } {
  const timeOf = ([, mib, rate]: [number, number, number]): number => ((mib * MIB) / (rate * GIB)) * 1e6;
  const link = GTX_1080_TI.flatMap((one): Row[] =>
    (["toDevice", "toHost"] as const).map((direction) => ({
      what: `${nameOf(one)}: ${direction === "toDevice" ? "to the device" : "to the host"}, ms`,
      published: timeOf(one[direction]) / 1000,
      ours: linkTime(direction, one[direction][0], one[direction][1] * MIB) / 1000,
      status: "fitted",
      digits: 2,
      aim: 3,
    })),
  );
  const groups = GTX_1080_TI.map((one): Row => {
    const ours = groupTime(one.groups, one.toDevice[0], one.toDevice[1] * MIB) / one.groups;
    return { what: `${nameOf(one)}: µs a group`, published: one.usPerGroup, ours, status: "fitted", aim: 40 };
  });
  return { link, groups };
}

/** Slowdowns by the model from the published counts: groups, and copies to the host, against 100 %. */
export function slowdowns(): Row[] {
  const timeOf = (program: string, percent: number): number => {
    const one = GTX_1080_TI.find((row) => row.program === program && row.percent === percent)!;
    const [count, mib] = one.toHost;
    const groups = groupTime(one.groups, one.toDevice[0], one.toDevice[1] * MIB);
    return groups + linkTime("toHost", count, mib * MIB);
  };
  return Object.entries(SLOWDOWNS).flatMap(([program, published]) =>
    [125, 150].map((percent, i): Row => {
      const ours = timeOf(program, percent) / timeOf(program, 100);
      const error = ERRORS.group / 100;
      return {
        what: `${program} at ${percent} %`,
        published: published[i],
        ours,
        status: "predicted",
        digits: 2,
        interval: [(ours * (1 - error)) / (1 + error), (ours * (1 + error)) / (1 - error)],
      };
    }),
  );
}

/** For programs without a trace: transfers of a sequential model, published ones, and a page each. */
export function bounds(): string[][] {
  return GTX_1080_TI.filter(({ program }) => !(program in TRACES)).map((one) => {
    const [count, mib] = one.toDevice;
    // Sequential first touches bring 2 MiB in 12 transfers; scattered ones bring a page each.
    return [nameOf(one), `${Math.ceil(mib / 2) * 12}`, `${count}`, `${Math.ceil(mib * 256)}`];
  });
}

/** The constants that these twelve rows alone give, with each program's error when it is left out. */
export function ownFit(): { name: string; fit: Fit; shown: string }[] {
  const sum = ([count, mib, rate]: [number, number, number]) => ({
    count,
    bytes: mib * MIB,
    time: ((mib * MIB) / (rate * GIB)) * 1e6,
  });
  const profiles = GTX_1080_TI.map((one): Profile => ({
    name: nameOf(one),
    toDevice: sum(one.toDevice),
    toHost: sum(one.toHost),
    groups: { count: one.groups, time: one.groups * one.usPerGroup },
  }));
  const [toDevice, toHost] = (["toDevice", "toHost"] as const).map((key) =>
    fitLink(profiles.map((profile) => profile[key]!))!,
  );
  const groups = fitGroups(profiles)!;
  const link = ({ each: [latency, byte] }: Fit): string =>
    `${latency.toFixed(3)} µs + bytes / ${(1e-3 / byte).toFixed(2)} GB/s`;
  return [
    { name: "link to the device", fit: toDevice, shown: link(toDevice) },
    { name: "link to the host", fit: toHost, shown: link(toHost) },
    {
      name: "fault groups",
      fit: groups,
      shown: `${groups.each[0].toFixed(1)} µs + ${groups.each[1].toFixed(2)} µs a transfer + link`,
    },
  ];
}

/** A constant of the model, and how to change it. */
const CONSTANTS: readonly [name: string, change: (model: TimeModel, factor: number) => void][] = [
  ["fixed part of a group", ({ faultGroup }, factor) => (faultGroup!.fixed!.value *= factor)],
  ["each transfer in a group", ({ faultGroup }, factor) => (faultGroup!.eachTransfer!.value *= factor)],
  ["bandwidth to the device", (model, factor) => (affine(model).toDevice.bandwidth.value *= factor)],
  ["bandwidth to the host", (model, factor) => (affine(model).toHost.bandwidth.value *= factor)],
  ["latency to the device", (model, factor) => (affine(model).toDevice.latency!.value *= factor)],
  ["latency to the host", (model, factor) => (affine(model).toHost.latency!.value *= factor)],
  ["CPU fault", ({ cpu }, factor) => (cpu!.fault!.value *= factor)],
];

function affine({ link }: TimeModel) {
  if (link?.formula !== "latency-bandwidth") throw new Error("the model's link has another formula");
  return link;
}

/** By constant: the change of hotspot's time in percent if the constant is 20 % less, and 20 % more. */
export function tornado(base: ManagedFigures): [name: string, less: number, more: number][] {
  const change = (how: (model: TimeModel, factor: number) => void, factor: number): number => {
    const model = structuredClone(MODEL);
    how(model, factor);
    return 100 * (runManaged("hotspot", 5, model).timing.total / base.timing.total - 1);
  };
  return CONSTANTS.map(([name, how]): [string, number, number] => [
    name,
    change(how, 0.8),
    change(how, 1.2),
  ]).sort((a, b) => Math.abs(b[2] - b[1]) - Math.abs(a[2] - a[1]));
}
