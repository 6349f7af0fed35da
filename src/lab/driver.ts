import {
  DeviceTable,
  hmmDevmemAdd,
  MmuIntervalNotifier,
  type Hmm,
  type HmmDevmem,
  type HmmDevmemOps,
  type Mm,
  type MmuIntervalNotifierOps,
} from "../index.ts";
import { Lock } from "../testing.ts";

/** How a driver follows one process. */
export interface Mirror {
  readonly table: DeviceTable;
  readonly notifier: MmuIntervalNotifier;
}

/** One past the highest address. */
const ADDRESS_SPACE = 2 ** 48;
/** Bytes of a device's memory: the least that there is. The driver hands out only the first frames. */
const DEVICE_BYTES = 2 << 20;

/** The owner that a device is known by. It is a value, so that a restored engine knows it again. */
export function ownerOf(device: number): string {
  return `device${device}`;
}

/** The name of a mirror's notifier in snapshots. */
export function notifierId(device: number, process: number): string {
  return `device${device} process${process}`;
}

/** A device of the lab with its driver's state: memory, lock, and a mirror of each process. */
export class LabDriver {
  /** 1 or 2. */
  readonly number: number;
  readonly devmem: HmmDevmem;
  /** What the callback and every update of a table take. */
  readonly lock: Lock;
  /** By process, from 1 on. */
  readonly mirrors = new Map<number, Mirror>();

  private constructor(number: number, devmem: HmmDevmem) {
    this.number = number;
    this.devmem = devmem;
    this.lock = new Lock(`the lock of device ${number}`);
  }

  /** Adds a device to an engine. */
  static add(hmm: Hmm, number: number, ops: HmmDevmemOps): LabDriver {
    const owner = ownerOf(number);
    return new LabDriver(number, hmmDevmemAdd(hmm, ops, owner, DEVICE_BYTES, { id: owner }));
  }

  /** Finds a device in a restored engine. */
  static find(hmm: Hmm, number: number): LabDriver {
    return new LabDriver(
      number,
      hmm.devmems().find(({ id }) => id === ownerOf(number))!,
    );
  }

  get owner(): string {
    return ownerOf(this.number);
  }

  /** Opens the mirror of a process. Throws HmmError ENOMEM if no device table or notifier is left. */
  mirror(process: number, mm: Mm, ops: MmuIntervalNotifierOps): void {
    const id = notifierId(this.number, process);
    const table = new DeviceTable(mm);
    const notifier = new MmuIntervalNotifier(mm, 0, ADDRESS_SPACE, ops, { id });
    this.mirrors.set(process, { table, notifier });
  }

  /** Finds the mirror of a process in a restored engine: the device's table is the `number`-th of the mm. */
  findMirror(process: number, mm: Mm): void {
    const { hmm } = mm;
    const table = hmm.deviceTables().filter((each) => each.mm === mm)[this.number - 1];
    const notifier = hmm.notifiers().find(({ id }) => id === notifierId(this.number, process))!;
    this.mirrors.set(process, { table, notifier });
  }

  /** The mirror of a process that has one. */
  mirrorOf(process: number): Mirror {
    return this.mirrors.get(process)!;
  }
}
