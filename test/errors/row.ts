import type { Argument, Wrong } from "./arguments.ts";
import type { World } from "./world.ts";

/** A call that is wrong for a reason other than one argument. */
export interface Refusal extends Omit<Wrong, "given" | "names"> {
  /** What is wrong: "the page is free". */
  why: string;
  /** What the message names as wrong. */
  names: string | RegExp;
  call(w: World): unknown;
  /** Why state may change nevertheless: the operation around the refused call continues. */
  changes?: string;
}

/** How one call refuses wrong arguments and states. */
export interface Row {
  /** Every parameter and every member of an options object, by its path in the surface. */
  args?: Record<string, Argument>;
  /** The receiver, unless it is the class's usual object. */
  on?: (w: World) => object;
  /** Names with which messages may begin, unless it is the usual name. */
  op?: readonly string[];
  /** This lock of `on` (default: the main address space) must be held. */
  lock?: { mode: "read" | "write"; of: (w: World) => World["mm"] };
  /**
   * The lock of the address space that the call takes; a caller that holds the lock would wait for itself.
   */
  takes?: "read" | "write";
  /** Why the call works after close(). */
  afterClose?: string;
  more?: Refusal[];
  /** Why nothing is refused. */
  nothing?: string;
  /** Prepares the world for the valid call. */
  prepare?: (w: World) => void;
}

export type Table = Record<string, Row>;
