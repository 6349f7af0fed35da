/** Puts a simulation's report together. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import type { Mm } from "../index.ts";
import type { Settings } from "./config.ts";
import { difference, sum, type Counts } from "./counts.ts";
import type { CountedDevices, Ledger, OneDevice } from "./ledger.ts";
import { ManagedRun } from "./managed-run.ts";
import { timingOf, type TimingReport } from "./time/timing.ts";
import {
  REPORT_SCHEMA,
  type BoundReport,
  type DeviceReport,
  type FailedAllocation,
  type RangeFigures,
  type RangeReport,
  type SimulationReport,
} from "./report.ts";

/** What a report is made of. */
interface Parts {
  settings: Settings;
  ledger: Ledger;
  mm: Mm;
  devices: CountedDevices;
  growths: number;
  bound: BoundReport | null;
  failed: FailedAllocation | null;
  /** Picoseconds that copies take after the last event. */
  tail: number;
}

/** Returns the report on what happened so far, as a copy. */
export function makeReport({
  settings,
  ledger,
  mm,
  devices,
  growths,
  bound,
  failed,
  tail,
}: Parts): SimulationReport {
  const { one, sections, now, device, ...counts } = ledger.report();
  const rss = mm.rss.total * PAGE_SIZE;
  const onDevice = devices.pages * PAGE_SIZE;
  const vmas = mm.vmas();
  const managed = devices instanceof ManagedRun ? devices : null;
  const named = settings.memoryModel === "managed" ? settings.managed : null;
  const { skip, roi } = settings;
  const ranges = ledger.ranges.report();
  return {
    schema: REPORT_SCHEMA,
    placement: settings.placement,
    cluster: settings.cluster,
    prefetch: named?.prefetch ?? settings.prefetch,
    prefetchFull: named?.prefetchFull ?? settings.prefetchFull,
    evict: named?.evict ?? settings.evict,
    seed: settings.seed,
    initial: settings.initial,
    memoryModel: settings.memoryModel,
    time: settings.time?.name ?? "none",
    backing: settings.backing,
    memory: { system: settings.systemMemory, device: settings.deviceMemory },
    roi: { from: Math.max(skip, roi.from), to: roi.to },
    ...counts,
    device: { ...device, bytesPeak: devices.peak * PAGE_SIZE },
    devices: one.map((each, i) => ofDevice(each, devices, i)),
    residency: { system: managed === null ? rss - onDevice : managed.ramPages * PAGE_SIZE, device: onDevice },
    rss,
    space: {
      vmas: vmas.length,
      bytes: vmas.reduce((bytes, vma) => bytes + vma.end - vma.start, 0),
      growths,
    },
    epochs: sections.epochs(now, ledger.position),
    kernels: sections.kernels(now),
    ranges,
    elsewhere: ranges.length === 0 ? null : elsewhereOf({ ...counts, device }, ranges),
    bound,
    driver: managed && managed.report(),
    timing: timingIn(settings, ledger, tail),
    failedAllocation: failed,
  };
}

/** What belongs to no named range: the whole without them. */
function elsewhereOf(whole: Counts, ranges: readonly RangeReport[]): RangeFigures {
  const { accesses, faults, device, groups, transfers } = whole;
  const { bytesPrefetched, bytesPrefetchedUsed, bytesPrefetchedUnused, bytesThrashed } = whole;
  const { bytesIn, bytesOut, bytesOutEvicted } = device;
  const moved = { bytesIn, bytesOut, bytesOutEvicted };
  const fates = { bytesPrefetched, bytesPrefetchedUsed, bytesPrefetchedUnused, bytesThrashed };
  const all: RangeFigures = { accesses, faults, groups, transfers, ...moved, ...fates };
  return ranges.reduce((rest, range) => difference<RangeFigures>(rest, range), all);
}

function timingIn({ time }: Settings, ledger: Ledger, tail: number): TimingReport | null {
  const causes = ledger.causes();
  return time === null || causes === null ? null : timingOf(time, causes, tail);
}

function ofDevice(
  { accesses, faults, device, links, ...driver }: OneDevice,
  { all }: CountedDevices,
  i: number,
): DeviceReport {
  const { books, pages, number } = all[i];
  return {
    name: `device ${number}`,
    accesses,
    faults: sum(faults),
    faultsByKind: faults,
    ...device,
    bytesPeak: books.peak * PAGE_SIZE,
    ...driver,
    residency: pages * PAGE_SIZE,
    links: Object.entries(links).map(([other, counts]) => ({ name: `device ${other}`, ...counts })),
  };
}
