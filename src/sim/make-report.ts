/** Puts a simulation's report together. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import type { Mm } from "../index.ts";
import type { Settings } from "./config.ts";
import type { SimDevice } from "./device.ts";
import type { Ledger } from "./ledger.ts";
import { REPORT_SCHEMA, type BoundReport, type FailedAllocation, type SimulationReport } from "./report.ts";

/** What a report is made of. */
interface Parts {
  settings: Settings;
  ledger: Ledger;
  mm: Mm;
  device: SimDevice;
  growths: number;
  bound: BoundReport | null;
  failed: FailedAllocation | null;
}

/** Returns the report on what happened so far, as a copy. */
export function makeReport({
  settings,
  ledger,
  mm,
  device,
  growths,
  bound,
  failed,
}: Parts): SimulationReport {
  const { sections, now, device: traffic, ...counts } = ledger.report();
  const rss = mm.rss.total * PAGE_SIZE;
  const onDevice = device.pages * PAGE_SIZE;
  const vmas = mm.vmas();
  const { skip, roi } = settings;
  return {
    schema: REPORT_SCHEMA,
    placement: settings.placement,
    cluster: settings.cluster,
    prefetch: settings.prefetch,
    prefetchFull: settings.prefetchFull,
    evict: settings.evict,
    seed: settings.seed,
    initial: settings.initial,
    memoryModel: settings.memoryModel,
    time: settings.time,
    backing: settings.backing,
    memory: { system: settings.systemMemory, device: settings.deviceMemory },
    roi: { from: Math.max(skip, roi.from), to: roi.to },
    ...counts,
    device: { ...traffic, bytesPeak: device.books.peak * PAGE_SIZE },
    residency: { system: rss - onDevice, device: onDevice },
    rss,
    space: {
      vmas: vmas.length,
      bytes: vmas.reduce((bytes, vma) => bytes + vma.end - vma.start, 0),
      growths,
    },
    epochs: sections.epochs(now, ledger.position),
    kernels: sections.kernels(now),
    ranges: ledger.ranges.report(),
    bound,
    failedAllocation: failed && { ...failed },
  };
}
