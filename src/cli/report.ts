/** The report of `heteromem run`: the object that --json prints, and its text. */
import {
  type Accesses,
  type BoundReport,
  type Calls,
  type CpuFaults,
  type DeviceAccesses,
  EVICTIONS,
  type FailedAllocation,
  MANAGED_EVICTIONS,
  MANAGED_PLACEMENTS,
  MEMORY_MODELS,
  PLACEMENTS,
  type SimulationReport,
} from "../sim.ts";
import { managedBlocks } from "./managed-report.ts";
import { LABEL, row, VALUE } from "./report-rows.ts";
import type { Picture } from "../report/picture.ts";
import { sparkline } from "./sparks.ts";
import { timeBlock } from "./time-report.ts";
import type { Warning } from "./warnings.ts";
import { parts } from "./report-parts.ts";
import { bytes, count, percent, plural } from "./words.ts";

/** The keys are stable; docs/run.md describes each. */
export interface RunReport extends SimulationReport {
  /** The version of heteromem. */
  version: string;
  /** The run was interrupted, or the trace ends early: the figures are those of the trace up to there. */
  partial: boolean;
  /** Why; null if the report is on all of the trace. */
  partialReason: string | null;
  /** What the trace cannot tell, or what was left out of it. */
  warnings: Warning[];
  trace: {
    /** Its file, or the workload. */
    file: string;
    /** A format of docs/formats.md, or `workload`. */
    format: string;
    /** Of an .hmt trace: its blocks. */
    lines: number;
    instructions: number;
    /** Loads, stores and modifies that were replayed. */
    accesses: number;
    /** Accesses to the kernel's half of the address space, where no program memory can be. */
    skippedKernel: number;
    /** Accesses to the lowest 64 KiB or the topmost page, where nothing can be mapped. */
    skippedUnmappable: number;
    /** Lines that valgrind wrote about itself. */
    comments: number;
    /** SB lines. */
    superblocks: number;
    /** Lines of other text, which --skip-foreign skips. */
    foreign: number;
    /** Processes that valgrind's lines name. */
    processes: number[];
    /** How the program's machine keeps return addresses, as told or recognized; null: unknown. */
    calls: Calls | null;
  };
  /** The parameters of a workload, defaults included; null for a trace. */
  parameters: Readonly<Record<string, number | string>> | null;
  /** The code that counted as the device's, and how often it was entered. */
  offload: { name: string; start: string; end: string; entries: number }[];
}

/** The kinds that occurred, as words: "3 first writes, 1 page replaced". */
function kinds(list: [value: number, one: string, many: string][]): string {
  return list
    .filter(([value]) => value > 0)
    .map(([value, one, many]) => plural(value, one, many))
    .join(", ");
}

function title({ trace }: RunReport): string {
  if (trace.format === "workload") return `workload ${trace.file}`;
  if (trace.format === "hmt") return `${trace.file}: ${plural(trace.lines, "block")}`;
  return `${trace.file}: ${count(trace.lines)} lines, ${count(trace.instructions)} instructions`;
}

/** The accesses that the counts are of, if they are not all. */
function interest({ roi }: RunReport): string[] {
  if (roi.from === 0 && roi.to === null) return [];
  const end = roi.to === null ? "to the end" : `to ${count(roi.to)}`;
  return [row("counted", `from ${count(roi.from)}`, `${end}, in accesses of the trace`)];
}

/** What is to be said about the device's memory. */
function aboutMemory({ placement, devices }: RunReport): string {
  const each = devices.length === 1 ? "" : `on each of ${count(devices.length)} devices`;
  return placement === "mirror" ? "not used by this placement" : each;
}

function heading(report: RunReport): string[] {
  const { trace, placement, backing, memory, offload } = report;
  const managed = report.memoryModel === "managed";
  const lines = [
    title(report),
    row("placement", placement, { ...MANAGED_PLACEMENTS, ...(managed ? {} : PLACEMENTS) }[placement]),
    ...(managed ? [row("memory model", report.memoryModel, MEMORY_MODELS.managed)] : []),
    row(
      "system memory",
      bytes(memory.system),
      backing === "metadata" ? "metadata only: pages have no bytes" : "",
    ),
    row("device memory", bytes(memory.device), aboutMemory(report)),
  ];
  for (const { name, start, end, entries } of offload) {
    lines.push(row("offloaded", name, `${start}-${end}, entered ${plural(entries, "time")}`));
  }
  if (trace.format !== "lackey")
    lines.push(
      row(
        "offloaded",
        "recorded",
        `the ${trace.format === "workload" ? "workload" : "trace"} says what the device does`,
      ),
    );
  else if (offload.length === 0)
    lines.push(row("offloaded", "nothing", "the CPU does it all; see --offload"));
  lines.push(...interest(report));
  const skipped = trace.skippedKernel + trace.skippedUnmappable;
  if (skipped > 0) lines.push(row("skipped accesses", skipped, "to addresses that a program cannot map"));
  return lines;
}

function accesses({ cpu, device }: { cpu: Accesses; device: DeviceAccesses }): string[] {
  const sum = (one: Accesses): number => one.loads + one.stores;
  const all = { loads: cpu.loads + device.loads, stores: cpu.stores + device.stores };
  const line = (label: string, cells: string[]): string =>
    label.padEnd(LABEL) + cells.map((cell) => cell.padStart(VALUE)).join("");
  const agent = (label: string, one: Accesses, of: Accesses): string =>
    line(label, [count(one.loads), count(one.stores), count(sum(one)), percent(sum(one), sum(of))]);
  return [
    line("Accesses", ["loads", "stores", "total", "share"]),
    agent("  CPU", cpu, all),
    agent("  device", device, all),
    ...(sum(device) === 0 ? [] : [agent("    of these, to RAM", device.ram, device)]),
    ...(sum(device.peer) === 0 ? [] : [agent("    to other devices", device.peer, device)]),
    agent("  both", all, all),
  ];
}

function cpuKinds(faults: CpuFaults): string {
  return kinds([
    [faults.anon, "first write", "first writes"],
    [faults.zero, "read of untouched memory", "reads of untouched memory"],
    [faults.cow, "write after such a read", "writes after such a read"],
    [faults.reuse, "write to a read-only page", "writes to read-only pages"],
    [faults.device, "page back from the device", "pages back from the device"],
    [faults.other, "other", "others"],
  ]);
}

/** What a device fault that migrates does: under HMM, and with managed memory. */
const MOVED = ["moved a cluster", "moved a cluster"] as const;
const BROUGHT = ["page brought to the device", "pages brought to the device"] as const;

function faults(report: RunReport): string[] {
  const { cpu, device } = report.faultsByKind;
  const deviceAccesses = report.accesses.device.loads + report.accesses.device.stores;
  const lines = [
    "Faults",
    row("CPU", report.faults.cpu, cpuKinds(cpu)),
    row(
      "device",
      report.faults.device,
      kinds([
        [device.migrate, ...(report.driver === null ? MOVED : BROUGHT)],
        [device.mirror, "mapped RAM", "mapped RAM"],
      ]),
    ),
  ];
  if (report.faults.device > 0) {
    const served = count(Math.round(deviceAccesses / report.faults.device));
    lines.push(
      row(
        "  accesses per fault",
        served,
        "loads and stores of the device that one of its faults is good for",
      ),
    );
  }
  return lines;
}

/** What an eviction is. */
function evicted({ memoryModel, evict }: RunReport): string {
  if (memoryModel === "hmm") return "clusters moved out to make room";
  return `${evict === "lrm" ? "blocks of 2 MiB" : "pages"} moved out to make room`;
}

/** What a policy evicts, by its name with or without a number. */
function aboutEvict(evict: string): string {
  const known: Record<string, string> = { ...EVICTIONS, ...MANAGED_EVICTIONS };
  return known[evict] ?? known[evict.split(":")[0]] ?? "a policy of your own";
}

function leastNote(pagesIn: number, { opt }: BoundReport): string {
  const ratio = opt.pagesIn === 0 ? "" : `, ${(pagesIn / opt.pagesIn).toFixed(2)} times as many`;
  return `pages in; ${count(pagesIn)} came${ratio}`;
}

function traffic(report: RunReport): string[] {
  const { device, evictions, evict, bound } = report;
  if (device.bytesIn === 0) return ["Device memory", row("in", bytes(0), "nothing was moved")];
  const { bytesFromPeers } = device;
  const made = device.bytesIn - device.bytesCopied - bytesFromPeers;
  const peers = bytesFromPeers === 0 ? "" : `${bytes(bytesFromPeers)} from other devices, `;
  const touched = device.bytesOut - device.bytesOutEvicted;
  const again = percent(device.bytesInAgain, device.bytesIn);
  const dirty = percent(device.bytesOutDirty, device.bytesOut);
  return [
    "Device memory",
    row(
      "in",
      bytes(device.bytesIn),
      `${bytes(device.bytesCopied)} from RAM, ${peers}${bytes(made)} made on the device`,
    ),
    row("  again", bytes(device.bytesInAgain), `${again}, had left before: thrashing`),
    row(
      "out",
      bytes(device.bytesOut),
      `${bytes(device.bytesOutEvicted)} evicted, ${bytes(touched)} because the CPU came`,
    ),
    row("  written there", bytes(device.bytesOutDirty), `${dirty}, the device had changed them`),
    row("evictions", evictions, `${evicted(report)}; ${evict}: ${aboutEvict(evict)}`),
    row("most at a time", bytes(device.bytesPeak)),
    ...(bound === null ? [] : [row("least by OPT", bound.opt.pagesIn, leastNote(device.pagesIn, bound))]),
  ];
}

function mirror({ invalidations, invalidationsByEvent: by }: RunReport): string[] {
  const why = kinds([
    [by.migrate, "migration", "migrations"],
    [by.clear, "page replaced", "pages replaced"],
    [by.protection, "protection change", "protection changes"],
    [by.unmap, "unmap", "unmaps"],
    [by.other, "other", "others"],
  ]);
  return ["Mirror", row("invalidations", invalidations, why)];
}

function ending({ residency, rss, space }: RunReport): string[] {
  const all = residency.system + residency.device;
  return [
    "At the end",
    row("in RAM", bytes(residency.system), percent(residency.system, all)),
    row("on the device", bytes(residency.device), percent(residency.device, all)),
    row("resident set", bytes(rss), "memory on the device counts, as in Linux"),
    row(
      "mappings",
      space.vmas,
      `${bytes(space.bytes)} of address space, made in ${plural(space.growths, "step")}`,
    ),
  ];
}

/** How the run went, from its beginning to its end. */
function sparks({ series }: Picture): string[] {
  const lines: [string, readonly number[]][] = [
    ["device faults", series.deviceFaults],
    ["CPU faults", series.cpuFaults],
    ["to the device", series.bytesToDevice],
    ["to RAM", series.bytesToHost],
    ["on the device", series.resident],
  ];
  const some = lines.filter(([, values]) => values.some((value) => value > 0));
  return [
    "Over time",
    ...some.map(([name, values]) => `  ${name.padEnd(LABEL - 2)}${sparkline(values, 64)}`),
  ];
}

function failure({ number, reached, access, error }: FailedAllocation): string[] {
  const heading = `Allocation ${count(number)} was made to fail`;
  if (!reached) return [heading, "  the run makes fewer allocations"];
  const outcome =
    error === null
      ? "the simulation did without it"
      : `the access met ${error}; it was repeated, and succeeded`;
  return [
    heading,
    row("after accesses", access),
    `  ${outcome}`,
    "  every invariant of the engine held (verify)",
  ];
}

function warnings(all: readonly Warning[]): string[] {
  return ["Warnings", ...all.map(({ count: times, text }) => row("", times, text).trimEnd())];
}

/**
 * Returns the report as text, without a final newline.
 * @param picture the run's, for a terminal, which shows bars and sparklines; null: none
 */
export function formatReport(report: RunReport, picture: Picture | null = null): string {
  const { trace } = report;
  const blocks = [
    heading(report),
    ...(report.warnings.length === 0 ? [] : [warnings(report.warnings)]),
    accesses(report.accesses),
    faults(report),
    traffic(report),
    mirror(report),
    ...(report.driver === null ? [] : managedBlocks(report.managed, report.driver)),
    ...(report.timing === null ? [] : [timeBlock(report.timing, picture !== null)]),
    ...(picture === null ? [] : [sparks(picture)]),
    ending(report),
    ...parts(report),
    ...(report.failedAllocation === null ? [] : [failure(report.failedAllocation)]),
  ];
  if (report.partialReason !== null) {
    const notice = `PARTIAL REPORT, up to line ${count(trace.lines)}: ${report.partialReason}`;
    blocks.unshift([notice]);
    blocks.push([notice]);
  }
  return blocks.map((block) => block.join("\n")).join("\n\n");
}
