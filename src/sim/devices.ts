/** The devices of a simulation: which agent is which, and what they are together. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { roundDown } from "../engine/errors.ts";
import { Hmm, type DeviceTable, type Mm } from "../index.ts";
import { CorePaging, pagesInCore } from "./core-paging.ts";
import { together, type DeviceCounts } from "./counts.ts";
import { SimDevice, type DeviceState } from "./device.ts";
import { Callbacks, deviceId } from "./device-driver.ts";
import { GrowingSpace } from "./space.ts";
import type { Settings } from "./config.ts";
import type { Future } from "./policies/evict/future.ts";
import type { SimulationEvents } from "./events.ts";
import { Follower } from "./follower.ts";
import { newLinks, Peers } from "./peers.ts";
import type { RangeCounts } from "./range-counts.ts";

/** What a snapshot keeps of the devices, beside the engine. */
export interface DevicesState {
  devices: DeviceState[];
  peak: number;
}

/** Devices 1 to N, which share one address space. The caller closes them, after the address space. */
export class SimDevices {
  readonly all: readonly SimDevice[];
  /** The mappings of the address space. */
  readonly space: GrowingSpace;
  /** The page tables of the agents: the CPU, then the devices. */
  readonly tables: readonly (DeviceTable | null)[];
  /** Tells the policies of uses; null: they do not hear of them. */
  readonly follower: Follower | null;
  /** Has the core serve the faults; null: it cannot, or a snapshot is made. */
  paging: CorePaging | null = null;
  readonly #pagesInCore: boolean;
  /** The links between them. */
  readonly peers: Peers;
  /** The most pages that were in the devices' memory at one time, since it was last set. */
  peak = 0;

  private constructor(
    hmm: Hmm,
    devices: readonly SimDevice[],
    space: GrowingSpace,
    { peers, peak, inCore }: { peers: Peers; peak: number; inCore: boolean },
  ) {
    this.all = devices;
    this.peers = peers;
    this.space = space;
    this.tables = [null, ...devices.map(({ table }) => table)];
    this.peak = peak;
    this.#pagesInCore = inCore;
    for (const device of devices) {
      const neighbors = devices.filter((other) => other !== device);
      const linked = neighbors.filter(({ number }) => peers.linked(device.number, number));
      device.join(neighbors, linked, peers.access);
    }
    const [origin] = devices[0].frames;
    const frames = [...devices.map((device) => device.frames[0]), devices[devices.length - 1].frames[1]];
    const followed = {
      hmm,
      devices,
      frames: frames.map((frame) => frame - origin),
      of: (agent: number) => this.of(agent),
    };
    this.follower = devices[0].hearsUses ? new Follower(followed) : null;
  }

  /**
   * Adds the devices of the settings to `hmm`, which needs room for them (deviceMemoryFor). Throws TypeError
   * for a policy that looks ahead without a future.
   */
  static add(hmm: Hmm, mm: Mm, settings: Settings, future?: Future): SimDevices {
    const space = new GrowingSpace(mm);
    const make = (_: unknown, i: number): SimDevice =>
      new SimDevice(hmm, mm, space, settings, { number: i + 1, future, links: newLinks(settings, i + 1) });
    const peers = new Peers(settings, settings.devices);
    const devices = Array.from({ length: settings.devices }, make);
    return new SimDevices(hmm, devices, space, { peers, peak: 0, inCore: pagesInCore(settings) });
  }

  /** Restores the engine and the devices from a snapshot of the engine, and from state(). */
  static restore(
    bytes: Uint8Array,
    settings: Settings,
    { devices: states, peak }: DevicesState,
    future?: Future,
  ): { hmm: Hmm; mm: Mm; devices: SimDevices } {
    const owners = states.map(() => new Callbacks());
    const byId = <T>(of: (owner: Callbacks) => T): Record<string, T> =>
      Object.fromEntries(owners.map((owner, i) => [deviceId(i + 1), of(owner)]));
    const hmm = Hmm.restore(bytes, {
      devmems: byId((owner) => ({ ops: owner, owner })),
    });
    const [mm] = hmm.mms();
    const space = new GrowingSpace(mm);
    const made = states.map(
      (state, i) =>
        new SimDevice(hmm, mm, space, settings, {
          number: i + 1,
          future,
          restored: { owner: owners[i], state },
        }),
    );
    const peers = new Peers(settings, settings.devices);
    const inCore = pagesInCore(settings);
    return { hmm, mm, devices: new SimDevices(hmm, made, space, { peers, peak, inCore }) };
  }

  /** The device that an agent other than the CPU is: with one device, all of them are it. */
  of(agent: number): SimDevice {
    return this.all[Math.min(agent, this.all.length) - 1];
  }

  /**
   * The device to whose memory the page of `addr` comes when `device` faults on it; null: it stays where it
   * is, in the memory of a device to which a link leads.
   */
  targetOf(device: SimDevice, addr: number): SimDevice | null {
    if (!this.peers.access) return device;
    const page = roundDown(addr, PAGE_SIZE);
    return device.holderOf(page) === null ? this.all[this.peers.homeOf(page, device.number) - 1] : null;
  }

  /** Notes for named ranges what was used so far. */
  noteUses(): void {
    for (const device of this.all) device.noteUses();
  }

  /** Pages in the devices' memory. */
  get pages(): number {
    return this.all.reduce((sum, device) => sum + device.pages, 0);
  }

  /** What the drivers have counted, together. */
  get counts(): DeviceCounts {
    return this.all.map(({ counts }) => counts).reduce((sum, counts) => together(sum, counts));
  }

  /** Notes that pages have come to a device. */
  notePeak(): void {
    this.peak = Math.max(this.peak, this.pages);
  }

  /** The peaks of all that is counted begin here. */
  restartPeaks(): void {
    this.peak = this.pages;
    for (const device of this.all) device.books.peak = device.pages;
  }

  /** Says where moves are counted by name. */
  countIn(ranges: RangeCounts): void {
    this.peers.ranges = ranges;
    for (const { books } of this.all) books.countIn(ranges);
  }

  /** Tells the observer of invalidations since the last call. */
  publishInvalidations(): void {
    for (const device of this.all) device.publishInvalidations();
  }

  /** Says who is told what moves. */
  observe(events: SimulationEvents): void {
    for (const { books } of this.all) books.events = events;
  }

  /** Takes memory of the engine that a snapshot must not have. Throws HmmError ENOMEM. */
  openArrays(): void {
    this.follower?.open();
    if (this.#pagesInCore) this.paging = new CorePaging(this.all[0].room.memory);
  }

  /** Gives it back. */
  closeArrays(): void {
    this.follower?.close();
    this.paging?.close();
    this.paging = null;
  }

  state(): DevicesState {
    return { devices: this.all.map((device) => device.state()), peak: this.peak };
  }

  close(): void {
    for (const device of this.all) device.close();
  }
}
