/** All microbenchmarks. */
import { FAULTS } from "./faults.ts";
import { MAPPINGS } from "./mappings.ts";
import { MIGRATION } from "./migration.ts";
import type { Microbenchmark } from "./program.ts";
import { REPLAY } from "./replay.ts";

/** Every program, in the order in which they run. */
export const MICROBENCHMARKS: readonly Microbenchmark[] = [...FAULTS, ...MIGRATION, ...MAPPINGS, ...REPLAY];

/**
 * Returns the programs that `names` name: whole names, or beginnings that end before a slash (`migrate`).
 * Without names all. Returns the first name that names none as text.
 */
export function chosen(names: readonly string[]): readonly Microbenchmark[] | string {
  if (names.length === 0) return MICROBENCHMARKS;
  const fits = ({ name }: Microbenchmark, part: string): boolean => `${name}/`.startsWith(`${part}/`);
  const unknown = names.find((part) => !MICROBENCHMARKS.some((program) => fits(program, part)));
  if (unknown !== undefined) return unknown;
  return MICROBENCHMARKS.filter((program) => names.some((part) => fits(program, part)));
}
