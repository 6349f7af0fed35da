/**
 * Writes the lines of NVBit's mem_trace: one for each instruction of a warp, with the addresses of its 32
 * lanes.
 *
 *   MEMTRACE: CTX 0x1 - grid_launch_id 0 - CTA 2,0,0 - warp 5 - LDG.E.64 - 0x7f8a01800000 … 0x0
 *
 * A thread is a warp, as for the reader (assembly/text/nvbit.ts). Accesses that follow each other are lanes
 * of one line if thread, kind, size and instruction are the same.
 */
import { RECORD_KIND_MODIFY, RECORD_KIND_STORE } from "../../assembly/abi/record.ts";
import type { AccessLines, PlainAccess } from "./plain-access.ts";
import type { PlainBytes } from "./plain-bytes.ts";

const LANES = 32;
/** Warps of a block with 1,024 threads. */
const WARPS = 32;
/** What an instruction's name says of its size. */
const SUFFIXES: Readonly<Record<number, string>> = { 1: ".U8", 2: ".U16", 4: "", 8: ".64", 16: ".128" };

function instruction(kind: number, size: number): string {
  const name = kind === RECORD_KIND_MODIFY ? "RED.E.ADD" : kind === RECORD_KIND_STORE ? "STG.E" : "LDG.E";
  return `${name}${SUFFIXES[size]}`;
}

/** Whether two accesses can be lanes of one line. */
function together(a: PlainAccess, b: PlainAccess): boolean {
  return a.thread === b.thread && a.kind === b.kind && a.size === b.size && a.code === b.code;
}

/** Makes a writer. */
export function nvbit(out: PlainBytes): AccessLines {
  const lanes: PlainAccess[] = [];
  /** The number of the grid, and whether there are lines of it. */
  const grid = { number: 0, used: false };

  const end = (): void => {
    if (lanes.length === 0) return;
    const [{ thread, kind, size }] = lanes;
    const cta = Math.floor(thread / WARPS);
    out.begin();
    out.text(
      `MEMTRACE: CTX 0x1 - grid_launch_id ${grid.number} - CTA ${cta},0,0 - warp ${thread % WARPS} - `,
    );
    out.text(`${instruction(kind, size)} -`);
    for (const { low, high } of lanes) {
      out.text(" 0x");
      out.hex(low, high);
    }
    out.text(`${" 0x0".repeat(LANES - lanes.length)}\n`);
    lanes.length = 0;
    grid.used = true;
  };

  return {
    access(access) {
      if (lanes.length === LANES || (lanes.length > 0 && !together(lanes[0], access))) end();
      lanes.push({ ...access });
    },
    kernel() {
      end();
      if (grid.used) grid.number++;
      grid.used = false;
    },
    end,
  };
}
