// Page-table entries: making them and taking them apart. Their bits are drawn in uapi/pte.ts.

import { PTE_KIND_MASK, PTE_PRESENT } from "../../uapi/pte";

/** Returns the entry that names `pfn` with these flags (the low word: PTE_*). */
@inline
export function makePte(pfn: u32, flags: u32): u64 {
  return ((<u64>pfn) << 32) | flags;
}

/** Returns the pfn of an entry; of a swap entry, the number of its slot. */
@inline
export function ptePfn(pte: u64): u32 {
  return <u32>(pte >> 32);
}

/** Returns the low word of an entry: all PTE_* bits. */
@inline
export function pteFlags(pte: u64): u32 {
  return <u32>pte;
}

/** Tells whether an entry is present: a CPU reaches the page through it. */
@inline
export function ptePresent(pte: u64): bool {
  return ((<u32>pte) & (<u32>PTE_PRESENT)) != 0;
}

/** Returns PTE_KIND_* of an entry that is not present; 0 for a present entry and for an empty one. */
@inline
export function pteKind(pte: u64): u32 {
  return (<u32>pte) & PTE_KIND_MASK;
}
