/**
 * The processes of a scenario on their own engine, which perform the records' operations by the public API.
 */
import { Hmm, Memcg, PAGE_SIZE, PMD_SIZE, type HmmFile, type LinuxVersion } from "../../src/index.ts";
import { DRIVER_6_12, type DriverRules } from "./command.ts";
import { GoldenDevice, GoldenHandle } from "./driver.ts";
import { OPERATIONS } from "./operations.ts";
import { handleOf, type Process } from "./process.ts";
import type { Answer, GoldenRecord, Operation, ProcessState, Scenario } from "./records.ts";
import type { World } from "./replay.ts";
import { stateOf } from "./state.ts";

const MEMORY_MIN = 2 << 20;

/**
 * The sizes of memory for a scenario, small because each scenario has its own engine: room for every page of
 * every mapping of every process, in system memory and on each device, twice.
 */
function memoryFor({ lines }: Scenario): number {
  let pages = 0;
  let processes = 1;
  for (const { op, args = [] } of lines) {
    if (op === "mmap") pages += Number(args[1]);
    if (op === "file") pages += Number(args[2]);
    if (op === "mremap") pages += Number(args[3]);
    if (op === "mresize") pages += Number(args[2]);
    if (op === "fork") processes++;
  }
  return Math.max(MEMORY_MIN, 2 * pages * processes * PAGE_SIZE);
}

export function makeEngineWorld(scenario: Scenario): EngineWorld {
  const { win, linux, driver } = scenario;
  return new EngineWorld(win, memoryFor(scenario), linux, driver);
}

export class EngineWorld implements World {
  readonly hmm: Hmm;
  readonly memcg = new Memcg();
  readonly devices: readonly GoldenDevice[];
  readonly processes = new Map<number, Process>();
  /** Open files by name. */
  readonly files = new Map<string, HmmFile>();
  private readonly chargedAtStart: number;
  private readonly freeAtStart: number;

  /** @param memory bytes of system memory and of each device's memory */
  constructor(
    readonly win: number,
    memory: number,
    linux: LinuxVersion = "6.12",
    readonly driver: DriverRules = DRIVER_6_12,
  ) {
    const deviceMemory = Math.ceil(memory / PMD_SIZE) * PMD_SIZE;
    const hugetlb = Math.floor(win / 512) * PMD_SIZE;
    const systemMemory = memory + hugetlb + PMD_SIZE;
    // Linux 7.3 was recorded with two more devices, whose memory is coherent.
    const coherent = linux === "7.3" ? [false, false, true, true] : [false, false];
    const all = coherent.length * deviceMemory;
    this.hmm = Hmm.createSync({ systemMemory, deviceMemory: all, swap: memory, hugetlb, linux });
    this.hmm.swapOn = false;
    this.devices = coherent.map((kind) => new GoldenDevice(this.hmm, deviceMemory, kind));
    this.freeAtStart = this.hmm.freePages;
    const mm = this.hmm.createMm({ memcg: this.memcg });
    const first: Process = { pid: 0, mm, handles: new Map(), opened: new Set(), pins: [] };
    this.processes.set(0, first);
    this.open(first, 0, 0);
    this.open(first, 1, 1);
    this.chargedAtStart = this.memcg.usage;
  }

  /** Pages charged to the scenario's memory cgroup since its start. */
  get charged(): number {
    return this.memcg.usage - this.chargedAtStart;
  }

  perform(operation: Operation): GoldenRecord {
    return { ...defined(operation), ...this.act(operation), st: this.state() };
  }

  /** Performs an operation without a look at the state. */
  act({ p = 0, op, args = [] }: Operation): Answer {
    if (op === "start") return {};
    const process = this.processes.get(p);
    const perform = OPERATIONS.get(op);
    if (process === undefined) throw new Error(`no process ${p}`);
    if (perform === undefined) throw new Error(`operation ${op} is not built`);
    return perform(process, args, this);
  }

  verify(): void {
    this.hmm.verify();
  }

  /** Ends the running processes, closes the files, and checks that nothing is in use. */
  close(): void {
    for (const process of [...this.processes.values()]) this.exit(process);
    for (const file of this.files.values()) file.close();
    const used = this.devices.map((device) => device.used);
    if (used.some((pages) => pages > 0)) throw new Error(`device pages are left in use: ${used.join(", ")}`);
    const lost = this.freeAtStart - this.hmm.freePages;
    if (lost !== 0) throw new Error(`${lost} pages of system memory are left in use`);
    if (this.memcg.usage !== 0) throw new Error(`${this.memcg.usage} pages are left charged`);
    for (const device of this.devices) device.close();
    this.memcg.close();
    this.hmm.verify();
  }

  // ── Processes ───────────────────────────────────────────────────────────────────────────────────────────

  open(process: Process, number: number, device: number): void {
    process.handles.set(number, new GoldenHandle(this.devices[device], process.mm, this.driver));
    process.opened.add(number);
  }

  /**
   * Closes a process's file; the last process to do so closes the handle. If that fails, the file stays open.
   */
  closeHandle(process: Process, number: number): void {
    const handle = handleOf(process, number);
    if (handle.references === 1) handle.close();
    handle.references--;
    process.handles.delete(number);
    process.opened.delete(number);
  }

  fork(parent: Process, pid: number): void {
    const child: Process = { pid, mm: parent.mm.fork(), handles: new Map(), opened: new Set(), pins: [] };
    for (const [number, handle] of parent.handles) {
      handle.references++;
      child.handles.set(number, handle);
    }
    this.processes.set(pid, child);
  }

  /** Closes the address space, then the files, as a kernel does. After a failure, a second call continues. */
  exit(process: Process): void {
    for (const pin of process.pins) pin.close();
    process.longPin?.close();
    process.mm.close();
    for (const number of [...process.handles.keys()]) this.closeHandle(process, number);
    this.processes.delete(process.pid);
  }

  private state(): Record<string, ProcessState> {
    const dev = this.devices.map((device) => device.used);
    const states: Record<string, ProcessState> = {};
    for (const process of this.processes.values()) states[process.pid] = stateOf(process, this.win, dev);
    return states;
  }
}

/** Returns the state without keys that the record lacks. */
function defined(operation: Operation): Operation {
  return Object.fromEntries(
    Object.entries(operation).filter(([, value]) => value !== undefined),
  ) as unknown as Operation;
}
