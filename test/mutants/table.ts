/** All mutants. */
import { CORE_HMM } from "./core-hmm.ts";
import { CORE_MIGRATE } from "./core-migrate.ts";
import { CORE_HUGE } from "./core-huge.ts";
import { CORE_LINUX } from "./core-linux.ts";
import { CORE_MAPPINGS } from "./core-mappings.ts";
import { CORE_MEMORY } from "./core-memory.ts";
import { DRIVER_RULES } from "./driver.ts";
import { LINKS } from "./peers.ts";
import { PICTURES } from "./pictures.ts";
import { REPLACEMENT } from "./replacement.ts";
import type { Mutant } from "./mutant.ts";
import { SWEEPS } from "./sweep.ts";
import { TEXT } from "./text.ts";
import { TIME } from "./time.ts";
import { TYPESCRIPT } from "./typescript.ts";

export const MUTANTS: readonly Mutant[] = [
  ...CORE_MEMORY,
  ...CORE_MAPPINGS,
  ...CORE_HMM,
  ...CORE_MIGRATE,
  ...CORE_HUGE,
  ...CORE_LINUX,
  ...TEXT,
  ...TYPESCRIPT,
  ...DRIVER_RULES,
  ...REPLACEMENT,
  ...TIME,
  ...LINKS,
  ...PICTURES,
  ...SWEEPS,
];
