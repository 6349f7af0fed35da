/** Serves what stops a replay: unmapped memory, CPU faults and device faults, by the placement policy. */
import {
  FAULT_KIND_ANON,
  FAULT_KIND_COW,
  FAULT_KIND_DEVICE,
  FAULT_KIND_REUSE,
  FAULT_KIND_ZERO,
} from "../../assembly/uapi/event.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import type { ReplayStop } from "../device/replay.ts";
import { roundDown } from "../engine/errors.ts";
import { HmmError, type Mm } from "../index.ts";
import type { DeviceFaults } from "./counts.ts";
import type { SimDevice } from "./device.ts";
import type { SimDevices } from "./devices.ts";
import type { SimulationEvents } from "./events.ts";
import type { Ledger } from "./ledger.ts";
import type { Placement } from "./names.ts";
import { mappable, type Span } from "./space.ts";

export class FaultServer {
  /** Is told what happens; null: nobody is. */
  events: SimulationEvents | null = null;
  /** Whether the last device fault brought pages. */
  brought = false;
  readonly #mm: Mm;
  readonly #devices: SimDevices;
  readonly #ledger: Ledger;
  readonly #placement: Placement;
  /** The record of the last device fault, and the address after the last page that faulted for it. */
  readonly #faulting = { record: -1, end: 0 };
  /** Pages that the record reaches in RAM, because its own later pages have evicted them. */
  readonly #borrowed: number[] = [];
  /** The device that reaches them. */
  #borrower: SimDevice | null = null;

  constructor(mm: Mm, devices: SimDevices, ledger: Ledger, placement: Placement) {
    this.#mm = mm;
    this.#devices = devices;
    this.#ledger = ledger;
    this.#placement = placement;
  }

  /** Other records come now, whose numbers begin again. */
  begin(): void {
    this.#faulting.record = -1;
  }

  /**
   * Whether the record that faulted last reaches a page in RAM for this one time. A record's pages fault in
   * the order of their addresses; where one of them evicts an earlier one, the access to that one has been
   * made, and the record starting over must not bring it back. The caller replays the record alone, then
   * calls giveBack().
   */
  get borrows(): boolean {
    return this.#borrowed.length > 0;
  }

  /** The record is done: the device reaches its borrowed pages no more. */
  giveBack(): void {
    for (const page of this.#borrowed) this.#borrower?.forget(page);
    this.#borrowed.length = 0;
  }

  /**
   * Serves a stop at a record of `agent`. Returns false if nothing can be mapped at its address. Throws
   * HmmError.
   */
  serve({ reason, at, address, write }: ReplayStop, agent: number): boolean {
    if (!mappable(address)) return false;
    if (reason === "cpu-fault") this.#cpuFault(address, write);
    else if (reason === "device-fault") this.#deviceFault(agent, address, write, at);
    else this.#devices.space.grownAt(address);
    return true;
  }

  #cpuFault(address: number, write: boolean): void {
    const { events } = this;
    events?.cpuFaultBegin(address);
    let kind: number;
    try {
      kind = this.#mm.fault(address, { write });
      if (kind === FAULT_KIND_ANON || kind === FAULT_KIND_COW)
        events?.arrived(roundDown(address, PAGE_SIZE), 1, 0, false);
    } finally {
      if (events !== null) this.#devices.publishInvalidations();
      events?.cpuFaultEnd();
    }
    const { cpuFaults: faults, ranges } = this.#ledger;
    ranges.fault(address, "cpu");
    switch (kind) {
      case FAULT_KIND_ZERO:
        faults.zero++;
        break;
      case FAULT_KIND_ANON:
        faults.anon++;
        break;
      case FAULT_KIND_COW:
        faults.cow++;
        break;
      case FAULT_KIND_REUSE:
        faults.reuse++;
        break;
      case FAULT_KIND_DEVICE:
        faults.device++;
        break;
      default:
        faults.other++;
    }
  }

  #deviceFault(agent: number, address: number, write: boolean, record: number): void {
    const span = this.#devices.space.grownAt(address);
    const device = this.#devices.of(agent);
    const { events } = this;
    if (events === null) return this.#serveDevice(device, span, address, { write, record });
    const page = roundDown(address, PAGE_SIZE);
    events.groupBegin({ device: device.number, entries: 1, pages: 1, address: page, kind: "fault" });
    events.block(page);
    events.deviceFault(page);
    try {
      this.#serveDevice(device, span, address, { write, record });
    } finally {
      this.#devices.publishInvalidations();
      events.groupEnd();
    }
  }

  #serveDevice(
    device: SimDevice,
    span: Span,
    address: number,
    { write, record }: { write: boolean; record: number },
  ): void {
    const faulting = this.#faulting;
    const again = faulting.record === record && address < faulting.end;
    faulting.record = record;
    if (!again) faulting.end = address + PAGE_SIZE;
    const move = this.#placement === "migrate" && !again;
    const target = move ? this.#devices.targetOf(device, address) : null;
    const moved = target === null ? 0 : target.moveIn(span, address, write ? "store" : "load");
    this.brought = moved > 0;
    if (moved > 0) {
      this.#devices.notePeak();
      this.#count(device, address, "migrate");
    }
    if (!device.reaches(address, write)) this.#reach(device, span, address, { write, again, moved });
  }

  /** Counts a fault of a device, which is a group of its own. */
  #count(device: SimDevice, address: number, kind: keyof DeviceFaults): void {
    const { devices, ranges } = this.#ledger;
    devices[device.number - 1].faults[kind]++;
    device.books.groups++;
    ranges.fault(address, "device");
    ranges.group(address);
  }

  /** Has a device reach a page where it is, which is a fault of its own unless one moved pages. */
  #reach(
    device: SimDevice,
    span: Span,
    address: number,
    { write, again, moved }: { write: boolean; again: boolean; moved: number },
  ): void {
    if (moved === 0) this.#count(device, address, "mirror");
    if (again) {
      this.#borrowed.push(address);
      this.#borrower = device;
    }
    const answer = device.mirror(span, address, write);
    if (answer !== 0)
      throw new HmmError(-answer, "hmmRangeFault", "the device cannot access the page", { address });
    if (moved === 0) this.events?.arrived(roundDown(address, PAGE_SIZE), 1, 0, false);
  }
}
