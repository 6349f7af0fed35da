// Page-table entries. (Drawn in uapi/pte.ts.)

import { PTE_KIND_MASK, PTE_PRESENT } from "../../uapi/pte";


@inline
export function makePte(pfn: u32, flags: u32): u64 {
  return ((<u64>pfn) << 32) | flags;
}


@inline
export function ptePfn(pte: u64): u32 {
  return <u32>(pte >> 32);
}


@inline
export function pteFlags(pte: u64): u32 {
  return <u32>pte;
}


@inline
export function ptePresent(pte: u64): bool {
  return ((<u32>pte) & (<u32>PTE_PRESENT)) != 0;
}

/** PTE_KIND_* of an entry that is not present; 0 for a present or empty one. */
@inline
export function pteKind(pte: u64): u32 {
  return (<u32>pte) & PTE_KIND_MASK;
}
