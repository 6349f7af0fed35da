/** Makes the report of a simulation from what it counted and from what its engine has. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import type { Mm } from "../index.ts";
import type { Settings } from "./config.ts";
import type { CountedDevice, Ledger } from "./ledger.ts";
import { ManagedRun } from "./managed-run.ts";
import { REPORT_SCHEMA, type FailedAllocation, type SimulationReport } from "./report.ts";

/** What a report is made from. */
interface Source {
  settings: Settings;
  ledger: Ledger;
  mm: Mm;
  device: CountedDevice;
  /** How often the address space grew. */
  growths: number;
  failed: FailedAllocation | null;
}

/** Returns the report, as a copy. */
export function makeReport({ settings, ledger, mm, device, growths, failed }: Source): SimulationReport {
  const { placement, prefetch, evict, memoryModel, time, backing, systemMemory, deviceMemory } = settings;
  const { sections, now, device: traffic, ...counts } = ledger.report();
  const managed = device instanceof ManagedRun ? device : null;
  const rss = mm.rss.total * PAGE_SIZE;
  const onDevice = device.pages * PAGE_SIZE;
  const vmas = mm.vmas();
  return {
    schema: REPORT_SCHEMA,
    placement,
    prefetch,
    evict,
    memoryModel,
    time,
    backing,
    memory: { system: systemMemory, device: deviceMemory },
    roi: { from: Math.max(settings.skip, settings.roi.from), to: settings.roi.to },
    ...counts,
    device: { ...traffic, bytesPeak: device.books.peak * PAGE_SIZE },
    residency: { system: managed === null ? rss - onDevice : managed.ramPages * PAGE_SIZE, device: onDevice },
    rss,
    space: {
      vmas: vmas.length,
      bytes: vmas.reduce((bytes, vma) => bytes + vma.end - vma.start, 0),
      growths,
    },
    epochs: sections.epochs(now, ledger.position),
    kernels: sections.kernels(now),
    ranges: ledger.ranges.report(),
    driver: managed && managed.report(),
    failedAllocation: failed,
  };
}
