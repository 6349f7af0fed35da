/** A time model as the timeline uses it: whole picoseconds of each event, and picoseconds a byte. */
import { arctangent } from "./arctangent.ts";
import type { LinkDirection, MemoryRates, TimeModel, UvmSmartLink } from "./model-file.ts";
import { picoseconds, picosecondsPerByte, type Time } from "./quantity.ts";
import { Tlb } from "./tlb.ts";

/** Returns the picoseconds that a transfer of some bytes takes. */
export type LinkTime = (bytes: number) => number;

/** Picoseconds of a load and of a store, each byte. */
export interface ByteTimes {
  load: number;
  store: number;
}

/** What each event takes, in picoseconds; what the model leaves out takes 0. */
export interface Costs {
  toDevice: LinkTime;
  toHost: LinkTime;
  /** From one device to another. */
  peer: LinkTime;
  fetch: number;
  preprocess: number;
  fixed: number;
  eachFault: number;
  unmap: number;
  eachBlock: number;
  /** A multiple of the time of a copy to the device. */
  populate: number;
  eachTransfer: number;
  map: number;
  replay: number;
  /** Whether evictions are copied while the batch goes on. */
  background: boolean;
  cpuFault: number;
  cpuInstruction: number;
  cpuAccess: number;
  cpuBytes: ByteTimes;
  deviceInstruction: number;
  deviceAccess: number;
  deviceBytes: ByteTimes;
  remoteLatency: number;
  remoteAtomic: number;
  remoteBytes: ByteTimes;
  /** An access of a device to another one's memory, over the link between the two. */
  peerLatency: number;
  peerBytes: ByteTimes;
  invalidation: number;
  tlb: Tlb | null;
}

const PI = 3.141592653589793;
const KIB = 1024;

function affine({ latency, bandwidth }: LinkDirection): LinkTime {
  const [each, byte] = [time(latency), picosecondsPerByte(bandwidth)];
  return (bytes) => each + Math.round(bytes * byte);
}

/** UVM-Smart's link: the bandwidth grows with the transfer's size. */
function uvmSmart({ peak, slope }: UvmSmartLink): LinkTime {
  const byte = picosecondsPerByte(peak);
  return (bytes) => Math.round((bytes * byte * PI) / (2 * arctangent((slope.value * bytes) / KIB)));
}

const time = (value: Time | undefined): number => (value === undefined ? 0 : picoseconds(value));

function bytesOf(memory: MemoryRates | undefined): ByteTimes {
  if (memory === undefined) return { load: 0, store: 0 };
  return { load: picosecondsPerByte(memory.read), store: picosecondsPerByte(memory.write) };
}

/** The times of accesses over a link: the model's own, or by the bandwidth of transfers over it. */
function peerBytesOf({ peer, link }: TimeModel): ByteTimes {
  const bandwidth = link?.peer?.bandwidth;
  if (peer?.memory !== undefined || bandwidth === undefined) return bytesOf(peer?.memory);
  return bytesOf({ read: bandwidth, write: bandwidth });
}

/** Returns the costs of a checked model. */
export function costsOf(model: TimeModel): Costs {
  const { link, faultGroup: group = {}, cpu = {}, device = {}, remote = {}, translation } = model;
  const none: LinkTime = () => 0;
  const both = link?.formula === "uvm-smart" ? uvmSmart(link) : none;
  const affineLink = link?.formula === "latency-bandwidth" ? link : null;
  const toDevice = affineLink === null ? both : affine(affineLink.toDevice);
  return {
    toDevice,
    toHost: affineLink === null ? both : affine(affineLink.toHost),
    peer: link?.peer === undefined ? toDevice : affine(link.peer),
    fetch: time(group.fetch),
    preprocess: time(group.preprocess),
    fixed: time(group.fixed),
    eachFault: time(group.eachFault),
    unmap: time(group.unmap),
    eachBlock: time(group.eachBlock),
    populate: group.populate?.value ?? 0,
    eachTransfer: time(group.eachTransfer),
    map: time(group.map),
    replay: time(group.replay),
    background: model.evictions !== "before",
    cpuFault: time(cpu.fault),
    cpuInstruction: time(cpu.instruction),
    cpuAccess: time(cpu.access),
    cpuBytes: bytesOf(cpu.memory),
    deviceInstruction: time(device.instruction),
    deviceAccess: time(device.access),
    deviceBytes: bytesOf(device.memory),
    remoteLatency: time(remote.latency),
    remoteAtomic: time(remote.atomic ?? remote.latency),
    remoteBytes: bytesOf(remote.memory),
    peerLatency: time(model.peer?.latency),
    peerBytes: peerBytesOf(model),
    invalidation: time(model.invalidation),
    tlb: translation === undefined ? null : new Tlb(translation.levels, picoseconds(translation.walk)),
  };
}
