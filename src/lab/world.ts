import {
  EINVAL,
  eventName,
  Hmm,
  HmmError,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  Memcg,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
  VM_FAULT_OOM,
  migrateVmaSetup,
  type Mm,
  type MmapGuard,
  type MmuIntervalNotifierOps,
  type MmuNotifierRange,
  type Vma,
  type VmFault,
} from "../index.ts";
import { STEP_COLLECTED } from "../../assembly/abi/request.ts";
import { watchSteps } from "../inside.ts";
import type { LockGuard } from "../testing.ts";
import { pack, unpack, type Sparse } from "./checkpoint.ts";
import { BASE, engineConfig, type LabConfig } from "./config.ts";
import { LabDriver, notifierId, ownerOf } from "./driver.ts";
import { pageRange, type Agent } from "./operation.ts";
import type { Hold, Task } from "./task.ts";
import type { StepId } from "./texts.ts";

/** The size of the large folios that madvise(MADV_HUGEPAGE) asks for. */
export const FOLIO_BYTES = 16 << 10;

/** What is about to happen to a range, by the event that announces it. */
const CHANGES: Readonly<Record<string, string>> = {
  MMU_NOTIFY_UNMAP: "about to be unmapped",
  MMU_NOTIFY_CLEAR: "about to be taken out of the table",
  MMU_NOTIFY_MIGRATE: "about to move",
  MMU_NOTIFY_PROTECTION_VMA: "about to change protection",
  MMU_NOTIFY_PROTECTION_PAGE: "about to change protection",
};

/** A range that a driver with the bug "late-invalidate" has been told of and not yet dropped. */
interface LateRange {
  device: number;
  process: number;
  start: number;
  end: number;
}

/** What a world has beside its engine, as plain data. */
export interface WorldData {
  /** What the next write writes. */
  value: number;
  /** The id of the next task. */
  task: number;
  /** The operations of each agent that are not done, oldest first. */
  queues: Record<Agent, Task[]>;
  /** The pages that are pinned, by process and page. */
  pins: { process: number; page: number; frame: number }[];
  late: LateRange[];
}

/** A world as it was between two steps. */
export interface Checkpoint {
  readonly engine: Sparse;
  /** A WorldData, as JSON. */
  readonly data: string;
}

/** What somebody sees who looks into the middle of a step. */
export interface Look {
  readonly id: StepId;
  /** What it is about: which device was told of which event, for example. */
  readonly detail: string;
}

/** An agent's holds on locks. They are not data: a restored world takes them again. */
interface Guards {
  sem?: MmapGuard;
  lock?: LockGuard;
}

/** An engine with its processes, its devices, and the operations in progress. */
export class World {
  readonly hmm: Hmm;
  readonly config: LabConfig;
  /** By number, from 1 on; index 0 is not used. */
  readonly processes: Mm[];
  readonly drivers: LabDriver[];
  readonly data: WorldData;
  /** Called inside a step, where the lab shows a step of its own. */
  onLook: ((look: Look) => void) | null = null;
  /** The calls that the step in progress is about to make, for a step that fails. */
  attempt: readonly string[] = [];
  readonly #guards = new Map<Agent, Guards>();

  private constructor(hmm: Hmm, config: LabConfig, data: WorldData, processes: Mm[], drivers: LabDriver[]) {
    this.hmm = hmm;
    this.config = config;
    this.data = data;
    this.processes = processes;
    this.drivers = drivers;
    this.#watch();
  }

  /** Makes the world in an engine that is empty, as engineConfig says. */
  static on(hmm: Hmm, config: LabConfig): World {
    hmm.setHugepages(FOLIO_BYTES, "madvise");
    const memcg = new Memcg(config.limit > 0 ? { limit: config.limit } : {});
    const mm = hmm.createMm({ memcg });
    const length = config.pages * PAGE_SIZE;
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    mm.mmap({ addr: BASE, length, prot: PROT_READ | PROT_WRITE, flags });
    const queues = { cpu: [], device1: [], device2: [] };
    const data: WorldData = { value: 1, task: 1, queues, pins: [], late: [] };
    const world = new World(hmm, config, data, [mm], []);
    for (let number = 1; number <= config.devices; number++) {
      const driver = LabDriver.add(hmm, number, {
        fault: (_, vma, addr) => world.#bringBack(driver, vma, addr),
      });
      world.drivers.push(driver);
      world.mirror(driver, 1);
    }
    return world;
  }

  /** Makes a new world. `module` is the compiled core. */
  static create(config: LabConfig, module?: Hmm["module"]): World {
    const wanted = engineConfig(config);
    return World.on(module === undefined ? Hmm.createSync(wanted) : Hmm.createSync(module, wanted), config);
  }

  /** Makes the world again that a checkpoint was taken of, locks included. */
  static restore(checkpoint: Checkpoint, config: LabConfig, module: Hmm["module"]): World {
    const data = JSON.parse(checkpoint.data) as WorldData;
    let world: World | null = null;
    const devmems = Object.fromEntries(
      range(config.devices).map((device) => {
        const fault = (_: unknown, vma: Vma, addr: number): VmFault | void =>
          world!.#bringBack(world!.drivers[device - 1], vma, addr);
        return [ownerOf(device), { ops: { fault }, owner: ownerOf(device) }];
      }),
    );
    const notifiers = Object.fromEntries(
      range(config.devices).flatMap((device) =>
        range(3).map((process) => {
          const invalidate = (event: MmuNotifierRange): void => world!.#invalidate(device, process, event);
          return [notifierId(device, process), { invalidate }];
        }),
      ),
    );
    const hmm = Hmm.restore(unpack(checkpoint.engine), { module, devmems, notifiers });
    const drivers = range(config.devices).map((device) => LabDriver.find(hmm, device));
    world = new World(hmm, config, data, hmm.mms(), drivers);
    for (const driver of drivers)
      world.processes.forEach((mm, i) => {
        if (hmm.notifiers().some(({ id }) => id === notifierId(driver.number, i + 1)))
          driver.findMirror(i + 1, mm);
      });
    for (const agent of ["cpu", "device1", "device2"] as const) {
      const [task] = data.queues[agent];
      const { holds = [] } = task ?? {};
      if (task !== undefined) task.holds = [];
      for (const hold of holds) world.take(agent, task, hold);
    }
    return world;
  }

  /** Takes a checkpoint, between two steps. `buffer` is room for a snapshot, which may be used again. */
  checkpoint(buffer?: Uint8Array): Checkpoint {
    return { engine: pack(this.hmm.snapshot({ into: buffer })), data: JSON.stringify(this.data) };
  }

  /** Returns the process of a number. Throws HmmError EINVAL if there is none. */
  process(number: number): Mm {
    const mm = this.processes[number - 1];
    if (mm === undefined) throw new HmmError(EINVAL, "lab", `there is no process ${number} yet: fork first`);
    return mm;
  }

  driver(task: Task): LabDriver {
    return this.drivers[task.operation.device - 1];
  }

  /** Opens a driver's mirror of a process. */
  mirror(driver: LabDriver, process: number): void {
    const ops: MmuIntervalNotifierOps = {
      invalidate: (event) => this.#invalidate(driver.number, process, event),
    };
    driver.mirror(process, this.process(process), ops);
  }

  // ── locks ──

  /** Takes a lock for a task, which holds it beyond the step. Its step has to wait if somebody has it. */
  take(agent: Agent, task: Task, hold: Hold): void {
    if (task.holds.includes(hold)) return;
    const guards = this.#guards.get(agent) ?? {};
    this.#guards.set(agent, guards);
    if (hold === "sem") guards.sem = this.process(task.operation.process).mmapSem.read(agent);
    else guards.lock = this.driver(task).lock.acquire();
    task.holds.push(hold);
  }

  /** Gives back what a task holds. */
  release(agent: Agent, task: Task): void {
    const { sem, lock } = this.#guards.get(agent) ?? {};
    lock?.close();
    sem?.close();
    this.#guards.delete(agent);
    task.holds = [];
  }

  // ── callbacks ──

  /** Drops what a driver with the bug "late-invalidate" was told of. Returns whether there was something. */
  settleLate(device: number): boolean {
    const { late } = this.data;
    const own = late.filter((range) => range.device === device);
    for (const { process, start, end } of own)
      this.drivers[device - 1].mirrorOf(process).table.clear(start, end);
    this.data.late = late.filter((range) => range.device !== device);
    return own.length > 0;
  }

  look(id: StepId, detail: string): void {
    this.onLook?.({ id, detail });
  }

  #invalidate(device: number, process: number, { event, start, end }: MmuNotifierRange): void {
    const driver = this.drivers[device - 1];
    const why = CHANGES[eventName(event)] ?? "about to change";
    const detail = `driver ${device} is told: ${this.describeRange(process, start, end)}, ${why}`;
    if (this.config.bug === "late-invalidate") {
      this.data.late.push({ device, process, start, end });
      this.look("notify-late", detail);
      return;
    }
    using _lock = driver.lock.acquire();
    driver.mirrorOf(process).table.clear(start, end);
    this.look("notify", detail);
  }

  /** A CPU touched a page in a device's memory: the driver migrates it back, within the CPU's step. */
  #bringBack(driver: LabDriver, vma: Vma, addr: number): VmFault | void {
    const start = addr - (addr % PAGE_SIZE);
    const page = `page ${(start - BASE) / PAGE_SIZE}`;
    this.look("device-fault", `${page} is on device ${driver.number}`);
    using m = migrateVmaSetup({ vma, start, end: start + PAGE_SIZE });
    this.look("setup", m.cpages > 0 ? `${page} can move` : `${page} cannot move`);
    const allocated = this.hmm.allocPages(m.src, m.dst);
    this.look("alloc", allocated > 0 ? `a frame of system memory for ${page}` : `no frame for ${page}`);
    const copied = this.hmm.copyPages(m.src, m.dst);
    this.look("copy", copied > 0 ? `${page} copied` : "nothing to copy");
    const moved = m.pages() > 0;
    this.look("pages", moved ? `${page} moved` : `${page} stays`);
    m.finalize();
    const place = moved ? "in system memory" : `on device ${driver.number}`;
    this.look("finalize", `${page} is ${place}`);
    return allocated === 0 ? VM_FAULT_OOM : undefined;
  }

  #watch(): void {
    watchSteps(this.hmm, (point) => {
      if (point === STEP_COLLECTED) this.look("collected", "");
      else this.look("unmapped", "");
    });
  }

  /** Says which pages a range of addresses has. */
  describeRange(process: number, start: number, end: number): string {
    const first = Math.max(0, (start - BASE) / PAGE_SIZE);
    const last = Math.min(this.config.pages, (end - BASE) / PAGE_SIZE) - 1;
    const who = process === 1 ? "" : ` of process ${process}`;
    return `${pageRange(first, last)}${who}`;
  }
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i + 1);
}
