// mincore: which pages of a range are resident.

import { EINVAL, ENOMEM } from "../../uapi/errno";
import { PAGE_SIZE } from "../../uapi/page";
import { PTE_KIND_SWAP } from "../../uapi/pte";
import { exists } from "../base/object";
import { pteKind, ptePfn, ptePresent } from "../base/pte";
import { cacheLookup, fileAt } from "../space/file";
import { mmOf } from "../space/mm";
import { swapCached } from "../space/swap";
import { pgoffOf, vmaLookup } from "../space/vma";
import { readPte } from "../table/pagetable";

/** A swapped page is resident if the swap cache has it; whatever else an entry names is resident. */
function isResident(pte: u64): bool {
  return pteKind(pte) == PTE_KIND_SWAP && !ptePresent(pte) ? swapCached(ptePfn(pte)) != 0 : pte != 0;
}

/**
 * mincore of [addr, addr + length), page aligned: a byte for each page at `out`, 1 if it is resident. -ENOMEM
 * at the first address that no vma covers.
 */
export function mincore(mmId: u32, addr: f64, length: f64, out: usize): i32 {
  const mm = mmOf(mmId);
  if (!exists(mm)) return -EINVAL;
  let at = <u64>addr;
  const end = at + <u64>length;
  for (; at < end; at += PAGE_SIZE, out++) {
    const vma = vmaLookup(mm, at);
    if (!exists(vma)) return -ENOMEM;
    // A page that the file's cache has is resident, mapped or not.
    const cached = vma.file != 0 && cacheLookup(fileAt(vma.file), pgoffOf(vma, at)) != 0;
    store<u8>(out, cached || isResident(readPte(mm.pgd, at)));
  }
  return 0;
}
