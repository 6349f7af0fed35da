import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { HDR_FAULT_ADDR, HDR_FAULT_CODE, HDR_RESULT } from "../../assembly/uapi/struct.ts";
import { contextOf } from "../context.ts";
import type { DeviceTable } from "../device-table.ts";
import type { HmmDevmem } from "../devmem.ts";
import type { Hmm } from "../engine.ts";
import type { Mm } from "../mm.ts";

export class RecordArray extends BigUint64Array<ArrayBuffer> {
  #free: () => void;
  constructor(hmm: Hmm, n: number) {
    const ctx = contextOf("recordArray", hmm);
    const address = ctx.alloc("recordArray", 8 * n);
    super(ctx.mem.buffer, address, n);
    this.#free = () => ctx.core.arenaFree(address);
  }
  close(): void {
    this.#free();
  }
}

export interface ReplayStop {
  reason: number;
  done: number;
  address: number;
  access: number;
}

export function replay(
  hmm: Hmm,
  mm: Mm,
  table: DeviceTable | null,
  records: RecordArray,
  at: number,
  n: number,
): ReplayStop {
  const ctx = contextOf("replay", hmm);
  const reason = ctx.core.replay(mm.id, table?.table ?? 0, records.byteOffset, at, n);
  return {
    reason,
    done: ctx.mem.headerF64(HDR_RESULT),
    address: ctx.mem.headerF64(HDR_FAULT_ADDR),
    access: ctx.mem.header(HDR_FAULT_CODE),
  };
}

export function replayOldest(hmm: Hmm, mm: Mm, devmem: HmmDevmem, max: number): { addresses: number[] } {
  const ctx = contextOf("replayOldest", hmm);
  const n = ctx.core.replayOldest(mm.id, devmem.zone, max);
  const at = (ctx.mem.header(192) + max * 4 + 7) & ~7;
  const addresses = [];
  for (let i = 0; i < n; i++) addresses.push(ctx.mem.f64(at + 8 * i) * PAGE_SIZE);
  return { addresses };
}
