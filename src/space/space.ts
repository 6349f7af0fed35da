import type { Context } from "../engine/context.ts";
import type { CoreExports } from "../engine/core.ts";
import type { MmapSem } from "./sem.ts";

/**
 * An address space as the functions of this folder see it: what they need of an Mm, which is made of them.
 */
export interface Space {
  readonly id: number;
  readonly ctx: Context;
  readonly core: CoreExports;
  readonly mmapSem: MmapSem;
  /** PROT_* bits that a running mprotect installs, else 0. Mirrors ask for them. */
  protecting: number;
  /** Returns the context. Throws TypeError, naming the operation `op`, if the address space is closed. */
  check(op: string): Context;
}
