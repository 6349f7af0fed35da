/**
 * ChampSim's binary traces: 64 bytes an instruction.
 *
 *    0 ┌──────────────────────────────┐
 *      │ address of the instruction   │
 *    8 ├───────────┬───────┬──────────┴─┬────────────┐
 *      │ is branch │ taken │ registers: │ 2 written  │ 4 read
 *   16 ├───────────┴───────┴────────────┴────────────┘
 *      │ 2 addresses written          │  0: none
 *   32 ├──────────────────────────────┤
 *      │ 4 addresses read             │  0: none
 *   64 └──────────────────────────────┘
 *
 * An instruction reads before it writes. Sizes are not recorded.
 */
import { ERROR_CHAMPSIM, fetched, Lines, LOAD, put, refuse, STORE } from "./lines";

export const CHAMPSIM_BYTES: usize = 64;
const WRITTEN: usize = 16;
const READ: usize = 32;

/** Decodes the instruction at `p`. Returns false, with the error set, if it is none. */
export function champsimRecord(s: Lines, p: usize): bool {
  if (load<u8>(p, 8) > 1 || load<u8>(p, 9) > 1) return refuse(s, ERROR_CHAMPSIM);
  const pc = <u32>load<u64>(p);
  fetched(s, 0);
  for (let at = p + READ; at < p + CHAMPSIM_BYTES; at += 8)
    if (load<u64>(at) != 0) put(s, load<u64>(at), s.size, LOAD, 0, 0, pc);
  for (let at = p + WRITTEN; at < p + READ; at += 8)
    if (load<u64>(at) != 0) put(s, load<u64>(at), s.size, STORE, 0, 0, pc);
  return true;
}
