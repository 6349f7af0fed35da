/** The generator's view of a run's state. */
import { DEVICE_OPS, FILES_MAX, HANDLES_MAX, OPEN_MIGRATIONS_MAX, PROCESSES_MAX, type Op } from "./plan.ts";

export interface ViewedHandle {
  /** Processes that have the device file. */
  readonly holders: ReadonlySet<number>;
  /** The process that the device file mirrors, or -1 after the process has ended. */
  readonly mirrored: number;
  /** Number of open migrations. */
  readonly open: number;
  /** Whether there is a mirror of 2018, and a tracked range. */
  readonly mirror: boolean;
  readonly tracked: boolean;
}

export interface View {
  processes(): number[];
  /** Returns the mappings of a process in pages. */
  mappings(pid: number): { start: number; end: number }[];
  handles(): ReadonlyMap<number, ViewedHandle>;
  /** Named files: "disk 1". */
  files(): string[];
  /** Whether any process has pinned pages. */
  pinned(): boolean;
  /** Whether a migration of the process's pages is open, or a range of it tracked. */
  migrating(pid: number): boolean;
  /** Whether a page of the process is device-exclusive and locked by an open migration. */
  lendsLocked(pid: number): boolean;
}

/** Whether an operation applies: its process and device file exist. A run skips other operations. */
export function applies(view: View, { p, op, args }: Op): boolean {
  const pids = view.processes();
  if (!pids.includes(p)) return false;
  const handles = view.handles();
  const handle = handles.get(Number(args[0]));
  if (DEVICE_OPS.has(op)) {
    if (!handle?.holders.has(p)) return false;
    if (op === "mend") return handle.open > 0;
    if (op === "mirror" || op === "unmirror")
      return handle.mirrored >= 0 && handle.mirror === (op === "unmirror");
    if (op === "vend") return handle.tracked;
    if (op === "vlook" || op === "vbeg") return handle.mirrored >= 0 && !handle.tracked;
    if (op === "vmig") return handle.mirrored >= 0;
    if (op === "close") return mayClose(p, handle);
    const open = [...handles.values()].reduce((sum, other) => sum + other.open, 0);
    return !op.endsWith("beg") || open < OPEN_MIGRATIONS_MAX;
  }
  if (op === "fork")
    return !pids.includes(Number(args[0])) && pids.length < PROCESSES_MAX && !view.lendsLocked(p);
  if (op === "exit")
    return (
      pids.length > 1 && !view.migrating(p) && [...handles.values()].every((other) => mayClose(p, other))
    );
  if (op === "reboot") return !view.pinned() && ![...handles.values()].some(({ tracked }) => tracked);
  if (op === "mmap")
    return !/file|shm/.test(String(args[3])) || view.files().includes(fileName(args.slice(3)));
  if (op === "file") return Number(args[1]) < FILES_MAX;
  if (FILE_OPS.has(op)) return view.files().includes(fileName(args));
  if (op === "open") return handle === undefined && handles.size < HANDLES_MAX;
  return true;
}

/** Operations on a named file. */
const FILE_OPS = new Set(["fr", "fw", "ft", "fp", "fc"]);

/** Returns the name of a file; tmpfs files and disk files have separate numbers. */
export function fileName([kind, number]: (number | string)[]): string {
  return `${String(kind).endsWith("shm") ? "shm" : "disk"} ${number}`;
}

/** A driver ends its migrations before its file closes. */
function mayClose(p: number, { holders, open, tracked }: ViewedHandle): boolean {
  return (open === 0 && !tracked) || !holders.has(p) || holders.size > 1;
}
