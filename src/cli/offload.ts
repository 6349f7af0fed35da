/** Turns the values of --offload into ranges of addresses, with the functions of --binary. */
import type { Calls } from "../sim.ts";
import { checkRanges, type NamedRange, type OffloadValue } from "./offload-value.ts";
import { functionsNamed, readElf, similarNames, type ElfProgram } from "./elf.ts";
import { UserError } from "./errors.ts";
import type { TraceInput } from "./input.ts";
import { findLoadAddress } from "./load-address.ts";

/** What the command line says about device code. */
export interface OffloadOptions {
  values: readonly OffloadValue[];
  /** The program that was traced; null: not given. */
  binary: string | null;
  /** Where it was loaded: added to all addresses; null: not given. */
  base: number | null;
  /** How the machine calls; null: not given. */
  calls: Calls | null;
}

/** What runs on the device, and how the machine calls: null if the trace has to tell. */
export interface Offload {
  ranges: NamedRange[];
  calls: Calls | null;
}

/**
 * Reads the program, finds where it was loaded if `trace` has to tell, and returns the ranges. Throws
 * UserError for a function that the program lacks, for a base that cannot be found, and for ranges that
 * overlap.
 */
export async function resolveOffload(options: OffloadOptions, trace: TraceInput): Promise<Offload> {
  const program = options.binary === null ? null : readElf(options.binary);
  const found = options.values.map((value) => ("symbol" in value ? functionRanges(value, program) : [value]));
  const symbolic = options.values.some((value) => "symbol" in value);
  if (options.base !== null && program !== null && !program.pie)
    throw new UserError(`--base: ${program.path} is not position-independent: its addresses are as it says`);
  const pie = symbolic && program?.pie === true;
  const base = options.base ?? (pie ? await findLoadAddress(trace, program) : 0);
  const moves = options.base !== null ? found : found.filter((_, i) => "symbol" in options.values[i]);
  const moved = new Set(moves.flat());
  const ranges = found
    .flat()
    .map((range) =>
      moved.has(range) ? { ...range, start: range.start + base, end: range.end + base } : range,
    );
  return { ranges: checkRanges(ranges), calls: options.calls ?? program?.calls ?? null };
}

function functionRanges(
  { name, symbol, origin }: Exclude<OffloadValue, NamedRange>,
  program: ElfProgram | null,
): NamedRange[] {
  if (program === null)
    throw new UserError(`${origin}: ${symbol} is a function's name: --binary PROGRAM tells where it is`);
  const functions = functionsNamed(program, symbol);
  if (functions.length === 0) {
    const similar = similarNames(program, symbol);
    const why =
      program.functions.length === 0
        ? "it is stripped: it names no functions"
        : similar.length === 0
          ? "nm lists its functions"
          : `it has ${similar.join(", ")}`;
    throw new UserError(`${origin}: ${program.path} has no function ${symbol}: ${why}`);
  }
  return functions.map((one, i) => ({
    name: i === 0 ? name : one.name === symbol ? `${name}#${i + 1}` : name + one.name.slice(symbol.length),
    start: one.start,
    end: one.start + one.size,
    origin,
  }));
}
