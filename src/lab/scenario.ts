import type { LabConfig } from "./config.ts";

/** A world, what is done in it one after the other, and what is left for the user to interleave. */
export interface Scenario {
  /** The name that the component's attribute takes. */
  readonly name: string;
  readonly title: string;
  /** What to look for. */
  readonly text: string;
  /** Where it comes from. */
  readonly group: "basics" | "races" | "kernel tests";
  readonly config?: Partial<LabConfig>;
  /** Operations that are carried out, separated by blanks, as parseOperation reads them. */
  readonly operations: string;
  /** Operations that are given and not carried out. */
  readonly race?: string;
}
