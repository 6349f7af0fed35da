/** The prefetchers by name. A new one is a file and an entry here. */
import { cluster64K, none, sl } from "./block.ts";
import type { PrefetchPolicy } from "./prefetcher.ts";
import { sequential } from "./sequential.ts";
import { tbn } from "./tbn.ts";

export const PREFETCHERS = {
  cluster64K,
  none,
  sl,
  tbn,
  sequential,
} as const satisfies Record<string, PrefetchPolicy>;
