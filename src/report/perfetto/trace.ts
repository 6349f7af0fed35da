/**
 * A trace for Perfetto: TrackEvent packets of what a simulation tells, as they come. Field numbers are those
 * of Perfetto's published protos (protos/perfetto/trace). Times are whole nanoseconds.
 */
import type { FaultGroup, Place } from "../../sim/events.ts";
import { CAUSES, type TimeCause, type TimedTransfer, type TimeListener } from "../../sim.ts";
import { ProtoWriter } from "./protobuf.ts";

const PACKET = { packet: 1, timestamp: 8, sequence: 10, event: 11, sequenceFlags: 13, track: 60 } as const;
const TRACK = { uuid: 1, name: 2, parent: 5, counter: 8 } as const;
const EVENT = { annotation: 4, type: 9, track: 11, name: 23, counter: 30, flow: 47 } as const;
const ANNOTATION = { uint: 3, text: 6, name: 10 } as const;
const COUNTER = { unit: 3 } as const;
const TYPE = { begin: 1, end: 2, counter: 4 } as const;
const UNIT_SIZE_BYTES = 3;
/** The sequence begins: nothing before it matters. */
const STATE_CLEARED = 1;

/** Tracks, and the one that each is under. */
const TRACKS = {
  machine: { uuid: 1, name: "heteromem", parent: 0 },
  cpu: { uuid: 2, name: "CPU", parent: 1 },
  device: { uuid: 3, name: "device", parent: 1 },
  kernels: { uuid: 4, name: "kernels", parent: 3 },
  work: { uuid: 5, name: "accesses", parent: 3 },
  driver: { uuid: 6, name: "driver: fault groups", parent: 1 },
  toDevice: { uuid: 7, name: "link to the device", parent: 1 },
  toHost: { uuid: 8, name: "link to RAM", parent: 1 },
  peer: { uuid: 9, name: "link between devices", parent: 1 },
  resident: { uuid: 10, name: "bytes on the device", parent: 1 },
} as const;
type Track = keyof typeof TRACKS;
/** The track of the first group of warps. */
const FIRST_GROUP = 100;

const PS_PER_NS = 1000;
const PAGE_BYTES = 4096;
/** Bytes that are collected before they are written. */
const CHUNK = 1 << 16;

/** Hears what happens, and writes packets. */
export class PerfettoTrace implements TimeListener {
  readonly #write: (bytes: Uint8Array) => void;
  readonly #out = new ProtoWriter();
  /** The flow of the batch or fault that is served: from it to its transfers. */
  #flow = 0;
  #flows = 0;
  #serving = false;
  #resident = 0;
  /** Kernels that run: a track shows one at a time. */
  #kernels = 0;
  /** Groups of warps that have a track. */
  readonly #groups = new Set<number>();
  #first = true;

  /** @param write takes the trace's bytes, part by part */
  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
    for (const { uuid, name, parent } of Object.values(TRACKS)) this.#describe(uuid, name, parent);
  }

  span(cause: TimeCause, start: number, end: number): void {
    const { resource, text } = CAUSES[cause];
    // transfer() shows what the links do.
    if (resource === "toDevice" || resource === "toHost" || resource === "peer") return;
    const track: Track = resource === "device" ? "work" : resource;
    this.#slice(TRACKS[track].uuid, text, start, end);
  }

  transfer({ address, bytes, direction, cause, start, end }: TimedTransfer): void {
    this.#event(start, (event) => {
      this.#begin(event, TRACKS[direction].uuid, `${cause} ${bytes / 1024} KiB`);
      annotate(event, "address", `0x${address.toString(16)}`);
      annotate(event, "bytes", bytes);
      if (this.#serving) event.fixed64(EVENT.flow, this.#flow);
    });
    this.#end(TRACKS[direction].uuid, end);
  }

  cpuFaultBegin(at: number, address: number): void {
    this.#serve();
    this.#event(at, (event) => {
      this.#begin(event, TRACKS.cpu.uuid, "CPU fault");
      annotate(event, "address", `0x${address.toString(16)}`);
      event.fixed64(EVENT.flow, this.#flow);
    });
  }

  cpuFaultEnd(at: number): void {
    this.#serving = false;
    this.#end(TRACKS.cpu.uuid, at);
  }

  groupBegin(at: number, { entries, pages, address, kind, device }: FaultGroup): void {
    this.#serve();
    this.#event(at, (event) => {
      this.#begin(event, TRACKS.driver.uuid, kind === "fault" ? `group of ${entries}` : "access counter");
      annotate(event, "pages", pages);
      annotate(event, "device", device);
      annotate(event, "address", `0x${address.toString(16)}`);
      event.fixed64(EVENT.flow, this.#flow);
    });
  }

  groupEnd(at: number): void {
    this.#serving = false;
    this.#end(TRACKS.driver.uuid, at);
  }

  deviceFault(): void {}

  warpsWait(at: number, group: number): void {
    const uuid = FIRST_GROUP + group;
    if (!this.#groups.has(group)) {
      this.#groups.add(group);
      this.#describe(uuid, `warps of SMs ${2 * group} and ${2 * group + 1}`, TRACKS.device.uuid);
    }
    this.#event(at, (event) => this.#begin(event, uuid, "wait for faults"));
  }

  warpsGoOn(at: number, group: number): void {
    this.#end(FIRST_GROUP + group, at);
  }

  resident(at: number, _address: number, pages: number, where: Place, came: boolean): void {
    if (where === 0) return;
    this.#resident += (came ? 1 : -1) * pages * PAGE_BYTES;
    this.#event(at, (event) => {
      event.uint(EVENT.type, TYPE.counter);
      event.uint(EVENT.track, TRACKS.resident.uuid);
      event.uint(EVENT.counter, Math.max(0, this.#resident));
    });
  }

  kernelBegin(at: number, name: string): void {
    this.#kernels++;
    this.#event(at, (event) => this.#begin(event, TRACKS.kernels.uuid, name));
  }

  kernelEnd(at: number): void {
    if (this.#kernels === 0) return;
    this.#kernels--;
    this.#end(TRACKS.kernels.uuid, at);
  }

  /** Writes what is left. */
  finish(): void {
    this.#write(this.#out.take());
  }

  #serve(): void {
    this.#serving = true;
    this.#flow = ++this.#flows;
  }

  #slice(track: number, name: string, start: number, end: number): void {
    this.#event(start, (event) => this.#begin(event, track, name));
    this.#end(track, end);
  }

  #begin(event: ProtoWriter, track: number, name: string): void {
    event.uint(EVENT.type, TYPE.begin);
    event.uint(EVENT.track, track);
    event.text(EVENT.name, name);
  }

  #end(track: number, at: number): void {
    this.#event(at, (event) => {
      event.uint(EVENT.type, TYPE.end);
      event.uint(EVENT.track, track);
    });
  }

  /** Writes a packet with an event at a time in picoseconds. */
  #event(at: number, fill: (event: ProtoWriter) => void): void {
    this.#packet((packet) => {
      packet.uint(PACKET.timestamp, Math.floor(at / PS_PER_NS));
      packet.message(PACKET.event, fill);
    });
  }

  #describe(uuid: number, name: string, parent: number): void {
    this.#packet((packet) =>
      packet.message(PACKET.track, (descriptor) => {
        descriptor.uint(TRACK.uuid, uuid);
        descriptor.text(TRACK.name, name);
        if (parent > 0) descriptor.uint(TRACK.parent, parent);
        if (uuid === TRACKS.resident.uuid)
          descriptor.message(TRACK.counter, (counter) => counter.uint(COUNTER.unit, UNIT_SIZE_BYTES));
      }),
    );
  }

  #packet(fill: (packet: ProtoWriter) => void): void {
    this.#out.message(PACKET.packet, (packet) => {
      fill(packet);
      packet.uint(PACKET.sequence, 1);
      if (this.#first) packet.uint(PACKET.sequenceFlags, STATE_CLEARED);
    });
    this.#first = false;
    if (this.#out.length > CHUNK) this.#write(this.#out.take());
  }
}

/** Writes a named value of an event. */
function annotate(event: ProtoWriter, name: string, value: number | string): void {
  event.message(EVENT.annotation, (annotation) => {
    annotation.text(ANNOTATION.name, name);
    if (typeof value === "string") annotation.text(ANNOTATION.text, value);
    else annotation.uint(ANNOTATION.uint, value);
  });
}
