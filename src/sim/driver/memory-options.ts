/** What managed memory is made of, and what a snapshot keeps of it. */
import type { LinkCounts } from "../counts.ts";
import type { DriverCounts } from "./driver-counts.ts";
import type { PageMover } from "./mover.ts";
import type { Topology } from "./processor.ts";
import type { Room, RoomListener, RoomPlace, RoomState } from "./room.ts";
import type { Transfers } from "./transfers.ts";
import type { Advice, BlockState } from "./va-block.ts";

/** What went over the links of a device, by the number of the other one. */
export type Links = Record<number, LinkCounts>;

/** What managed memory is made of. */
export interface MemoryOptions {
  topology: Topology;
  /** Makes the room of each device, by its number − 1. */
  rooms: readonly ((place: RoomPlace) => Room)[];
  transfers: Transfers;
  /** By processor. */
  counts: readonly DriverCounts[];
  /** By processor and the number of another device: what went over their link. Default: no links. */
  links?: readonly Links[];
  /** Whether access counters migrate pages: an evicting device then keeps its map of an advised range. */
  counters: boolean;
  /** What holds for every block until the program advises something else. Default: no advice. */
  defaults?: Partial<Advice>;
  /** Whether pages that nobody has touched lie in RAM: all of a block, when it is first used. */
  hostFirst?: boolean;
  /** Is told of what comes to devices and leaves. Default: nobody is. */
  listener?: RoomListener;
  /** Follows what happens. Default: nobody does. */
  mover?: PageMover;
}

/** What a snapshot keeps. */
export interface MemoryState {
  peak: number;
  short: [number: number, pages: number][];
  blocks: BlockState[];
  /** By processor; null for the CPU. */
  rooms: (RoomState | null)[];
}
