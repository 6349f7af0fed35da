/** The replacement policies by name. A new one is a file and an entry here. */
import { arc } from "./arc.ts";
import { clock, clockHit } from "./clock.ts";
import type { EvictPolicy } from "./evictor.ts";
import { fifo } from "./fifo.ts";
import { lfu2M, lru2M, lru64K } from "./groups.ts";
import { lru, mru } from "./lru.ts";
import { opt } from "./opt.ts";
import { random } from "./random.ts";
import { s3Fifo } from "./s3-fifo.ts";
import { segFifo } from "./seg-fifo.ts";
import { sieve } from "./sieve.ts";
import { sl, tbn } from "./tree.ts";

export const EVICTORS = {
  lru,
  "lru-4k": lru,
  "lru-64k": lru64K,
  "lru-2m": lru2M,
  "lfu-2m": lfu2M,
  fifo,
  random,
  clock,
  "clock:hit": clockHit,
  mru,
  sieve,
  "s3-fifo": s3Fifo,
  arc,
  segfifo: segFifo,
  sl,
  tbn,
  opt,
} as const satisfies Record<string, EvictPolicy>;
