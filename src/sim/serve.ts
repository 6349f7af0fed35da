/** Serves what stops a replay: unmapped memory, CPU faults and device faults, by the placement policy. */
import {
  FAULT_KIND_ANON,
  FAULT_KIND_COW,
  FAULT_KIND_DEVICE,
  FAULT_KIND_REUSE,
  FAULT_KIND_ZERO,
} from "../../assembly/uapi/event.ts";
import type { ReplayStop } from "../device/replay.ts";
import { HmmError, type Mm, type Vma } from "../index.ts";
import type { SimDevices } from "./devices.ts";
import type { Ledger } from "./ledger.ts";
import type { Placement } from "./names.ts";
import { grow, mappable } from "./space.ts";

/**
 * Device faults of one record that move clusters; further ones only map the page. An access that straddles
 * two clusters would otherwise have each evict the other where device memory holds only one.
 */
const MOVES_MAX = 2;

export class FaultServer {
  /** How often the address space grew. */
  growths = 0;
  readonly #mm: Mm;
  readonly #devices: SimDevices;
  readonly #ledger: Ledger;
  readonly #placement: Placement;
  /** The record of the last device fault, and how many device faults it has had. */
  readonly #faulting = { record: -1, times: 0 };

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
   * Serves a stop at a record of `agent`. Returns false if nothing can be mapped at its address. Throws
   * HmmError.
   */
  serve({ reason, at, address, write }: ReplayStop, agent: number): boolean {
    if (!mappable(address)) return false;
    if (reason === "cpu-fault") this.#cpuFault(address, write);
    else if (reason === "device-fault") this.#deviceFault(agent, address, write, at);
    else this.#vmaOf(address);
    return true;
  }

  /** Returns the mapping around an address, and makes one if there is none. */
  #vmaOf(address: number): Vma {
    const vma = this.#mm.findVma(address);
    if (vma !== null) return vma;
    grow(this.#mm, address);
    this.growths++;
    return this.#mm.findVma(address)!;
  }

  #cpuFault(address: number, write: boolean): void {
    const kind = this.#mm.fault(address, { write });
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
    const vma = this.#vmaOf(address);
    const device = this.#devices.of(agent);
    const faulting = this.#faulting;
    const { ranges } = this.#ledger;
    const faults = this.#ledger.devices[device.number - 1].faults;
    faulting.times = faulting.record === record ? faulting.times + 1 : 1;
    faulting.record = record;
    const move = this.#placement === "migrate" && faulting.times <= MOVES_MAX;
    const moved = move ? device.moveIn(vma, address, write) : 0;
    if (moved > 0) {
      faults.migrate++;
      this.#devices.notePeak();
      ranges.fault(address, "device");
    }
    if (device.reaches(address, write)) return;
    if (moved === 0) {
      faults.mirror++;
      ranges.fault(address, "device");
    }
    const answer = device.mirror(vma, address, write);
    if (answer !== 0)
      throw new HmmError(-answer, "hmmRangeFault", "the device cannot access the page", { address });
  }
}
