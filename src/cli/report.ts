/** The report of `heteromem run`: the object that --json prints, and its text. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import type { Accesses, CpuFaults, DeviceAccesses, SimulationReport } from "../sim/report.ts";
import type { FailedAllocation } from "../sim/simulation.ts";
import type { Calls } from "../text/lackey.ts";
import type { Warning } from "./warnings.ts";
import { count, percent, plural } from "./words.ts";

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
    file: string;
    format: "lackey" | "hmt";
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
  /** The code that counted as the device's, and how often it was entered. */
  offload: { name: string; start: string; end: string; entries: number }[];
  /** What --fail-alloc did; null without it. */
  failedAllocation: FailedAllocation | null;
  wallSeconds: number;
  accessesPerSecond: number;
}

const LABEL = 24;
const VALUE = 14;

/** A number of bytes in the largest unit that keeps it at 1 or above: 1.5 MiB. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number.isInteger(value) ? count(value) : value.toFixed(value < 10 ? 2 : 1)} ${units[unit]}`;
}

const pageBytes = (pages: number): string => bytes(pages * PAGE_SIZE);

function row(label: string, value: string | number, note = ""): string {
  const text = typeof value === "number" ? count(value) : value;
  return `  ${label.padEnd(LABEL - 2)}${text.padStart(VALUE)}${note === "" ? "" : `  ${note}`}`;
}

/** The kinds that occurred, as words: "3 first writes, 1 page replaced". */
function kinds(list: [value: number, one: string, many: string][]): string {
  return list
    .filter(([value]) => value > 0)
    .map(([value, one, many]) => plural(value, one, many))
    .join(", ");
}

function heading({ trace, policy, backing, memory, offload }: RunReport): string[] {
  const how = policy === "migrate" ? "moves 64 KiB clusters to the device" : "leaves pages in RAM, mirrored";
  const lines = [
    trace.format === "hmt"
      ? `${trace.file}: ${plural(trace.lines, "block")}`
      : `${trace.file}: ${count(trace.lines)} lines, ${count(trace.instructions)} instructions`,
    row("policy", policy, how),
    row(
      "system memory",
      bytes(memory.system),
      backing === "metadata" ? "metadata only: pages have no bytes" : "",
    ),
    row("device memory", bytes(memory.device), policy === "mirror" ? "not used by this policy" : ""),
  ];
  for (const { name, start, end, entries } of offload) {
    lines.push(row("offloaded", name, `${start}-${end}, entered ${plural(entries, "time")}`));
  }
  if (trace.format === "hmt") lines.push(row("offloaded", "recorded", "the trace says what the device does"));
  else if (offload.length === 0)
    lines.push(row("offloaded", "nothing", "the CPU does it all; see --offload"));
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
        [device.migrate, "moved a cluster", "moved a cluster"],
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

function traffic({ device, evictions }: RunReport): string[] {
  if (device.pagesIn === 0) return ["Device memory", row("pages in", 0, "nothing was moved")];
  const made = device.pagesIn - device.pagesCopied;
  const touched = device.pagesOut - device.pagesOutEvicted;
  const again = percent(device.pagesInAgain, device.pagesIn);
  const dirty = percent(device.pagesOutDirty, device.pagesOut);
  return [
    "Device memory",
    row(
      "pages in",
      device.pagesIn,
      `${count(device.pagesCopied)} from RAM, ${count(made)} made on the device`,
    ),
    row("  again", device.pagesInAgain, `${again}, had left before: thrashing`),
    row(
      "pages out",
      device.pagesOut,
      `${count(device.pagesOutEvicted)} evicted, ${count(touched)} because the CPU came`,
    ),
    row("  written there", device.pagesOutDirty, `${dirty}, the device had changed them`),
    row("bytes in", bytes(device.bytesIn), "RAM to device"),
    row("bytes out", bytes(device.bytesOut), "device to RAM"),
    row("evictions", evictions, "clusters moved out to make room, least recently used first"),
    row("most pages at a time", device.pagesPeak, pageBytes(device.pagesPeak)),
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
  const pages = residency.system + residency.device;
  const share = (part: number): string => `${pageBytes(part)}, ${percent(part, pages)}`;
  return [
    "At the end",
    row("pages in RAM", residency.system, share(residency.system)),
    row("pages on the device", residency.device, share(residency.device)),
    row("resident set", rss.pages, `${bytes(rss.bytes)}; pages on the device count, as in Linux`),
    row(
      "mappings",
      space.vmas,
      `${bytes(space.bytes)} of address space, made in ${plural(space.growths, "step")}`,
    ),
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

/** Returns the report as text, without a final newline. */
export function formatReport(report: RunReport): string {
  const { wallSeconds, accessesPerSecond, trace } = report;
  const blocks = [
    heading(report),
    ...(report.warnings.length === 0 ? [] : [warnings(report.warnings)]),
    accesses(report.accesses),
    faults(report),
    traffic(report),
    mirror(report),
    ending(report),
    ...(report.failedAllocation === null ? [] : [failure(report.failedAllocation)]),
    [`${wallSeconds.toFixed(2)} s, ${count(Math.round(accessesPerSecond))} accesses a second`],
  ];
  if (report.partialReason !== null) {
    const notice = `PARTIAL REPORT, up to line ${count(trace.lines)}: ${report.partialReason}`;
    blocks.unshift([notice]);
    blocks.push([notice]);
  }
  return blocks.map((block) => block.join("\n")).join("\n\n");
}
