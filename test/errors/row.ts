import type { Argument, Wrong } from "./arguments.ts";
import type { World } from "./world.ts";

/** A call that is wrong for another reason than one argument. */
export interface Refusal extends Omit<Wrong, "given" | "names"> {
  /** What is wrong: "the page is free". */
  why: string;
  /** The name of what is wrong, as the message has it. */
  names: string | RegExp;
  call(w: World): unknown;
  /** Why state may differ all the same: the operation around the refused call goes on. */
  changes?: string;
}

/** How one thing that can be called refuses what is wrong. */
export interface Row {
  /** Every parameter, and every member of a bag of options, by its path in the surface. */
  args?: Record<string, Argument>;
  /** What it is called on, if not the class's usual object. */
  on?: (w: World) => object;
  /** The names that messages may begin with, if not the usual one. */
  op?: readonly string[];
  /** This lock of `on` (default: the main address space) must be held. */
  lock?: { mode: "read" | "write"; of: (w: World) => World["mm"] };
  /** It takes this lock of the address space itself: whoever holds it already would wait for himself. */
  takes?: "read" | "write";
  /** Why it goes on working after close(). */
  afterClose?: string;
  more?: Refusal[];
  /** Why nothing is refused. */
  nothing?: string;
  /** Before the right call is made: what it needs. */
  prepare?: (w: World) => void;
}

export type Table = Record<string, Row>;
