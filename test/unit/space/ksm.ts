/** Helpers for tests of KSM. */
import { MADV_MERGEABLE, PAGE_SIZE, type Mm } from "../../../src/index.ts";

export const filled = (value: number): Uint8Array => new Uint8Array(PAGE_SIZE).fill(value);
export const byteAt = (mm: Mm, addr: number): number => mm.read(addr, 1)[0];

/** Creates a mergeable mapping with a page for each value. */
export function mergeable(mm: Mm, ...values: number[]): number {
  const addr = mm.mmap({ length: values.length * PAGE_SIZE });
  values.forEach((value, i) => mm.write(addr + i * PAGE_SIZE, filled(value)));
  mm.madvise(addr, values.length * PAGE_SIZE, MADV_MERGEABLE);
  return addr;
}
