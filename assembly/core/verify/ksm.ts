// verify(): KSM pages, nodes and items.

import { FOLIO_ANON, FOLIO_ANON_EXCLUSIVE, FOLIO_KSM, FOLIO_LOCKED } from "../../abi/frame";
import { HDR_DEVICE_NEXT } from "../../abi/header";
import { RESOURCE_KSM_ITEM, RESOURCE_KSM_NODE, RESOURCE_MM } from "../../abi/pool";
import { header, RESERVED_FRAMES } from "../base/layout";
import { exists } from "../base/object";
import { poolHigh, poolObject, poolUsed } from "../base/pool";
import { Folio, folioOf } from "../frame/folio";
import { pfnAfter } from "../frame/zone";
import { isAlive, ksmItemAt, KsmNode, ksmNodeAt, nodeChain } from "../space/ksm-item";
import { mmOf } from "../space/mm";
import { linkAt } from "../space/anon-vma";
import { Vma } from "../space/vma";

/** Tells whether the list of a KSM page has an item for addr whose anon_vma lists the vma. */
export function ksmReaches(folio: Folio, vma: Vma, addr: u64): bool {
  for (let at: usize = ksmNodeAt(folio.index).first; at; at = ksmItemAt(at).next) {
    const item = ksmItemAt(at);
    if (item.address != addr) continue;
    for (let link: usize = vma.chain; link; link = linkAt(link).chainNext) {
      if (linkAt(link).anonVma == item.anonVma) return true;
    }
  }
  return false;
}

/** Checks all KSM pages, nodes and items. Returns 0, or a page that is broken (1: the number of items is). */
export function ksmCheck(): u32 {
  for (let pfn = RESERVED_FRAMES; pfn < header(HDR_DEVICE_NEXT); pfn = pfnAfter(pfn)) {
    const folio = folioOf(pfn);
    if (!folio.has(FOLIO_KSM)) continue;
    // While a migration is open, the node may name the destination.
    const known =
      isAlive(ksmNodeAt(folio.index)) && (ksmNodeAt(folio.index).pfn == pfn || folio.has(FOLIO_LOCKED));
    if (!known || !folio.has(FOLIO_ANON) || folio.has(FOLIO_ANON_EXCLUSIVE)) return pfn;
  }
  let items: u32 = 0;
  for (let id: u32 = 1; id <= poolHigh(RESOURCE_KSM_NODE); id++) {
    const node = ksmNodeAt(poolObject(RESOURCE_KSM_NODE, id));
    if (!node.pfn) continue;
    const own = checkNode(node);
    if (own < 0) return node.pfn;
    items += own;
  }
  return items + looseItems() == poolUsed(RESOURCE_KSM_ITEM) ? 0 : 1;
}

/** Returns the number of items without an mm in the list of a node; -1 if the node or its list is broken. */
function checkNode(node: KsmNode): i32 {
  let chained = false;
  for (let at: usize = load<u32>(nodeChain(node.checksum)); at; at = ksmNodeAt(at).next) {
    if (at == changetype<usize>(node)) chained = true;
  }
  let orphans = 0;
  let length: u32 = 0;
  for (let at: usize = node.first; at; at = ksmItemAt(at).next) {
    if (ksmItemAt(at).node != <u32>changetype<usize>(node) || ++length > node.length) return -1;
    if (!ksmItemAt(at).mm) orphans++;
  }
  return chained && length == node.length ? orphans : -1;
}

/** Returns the number of items in the lists of address spaces; more than exist if a list is out of order. */
function looseItems(): u32 {
  let n: u32 = 0;
  for (let id: u32 = 1; id <= poolHigh(RESOURCE_MM); id++) {
    const mm = mmOf(id);
    let before: u64 = 0;
    for (let at: usize = exists(mm) ? <usize>mm.ksmItems : 0; at; at = ksmItemAt(at).mmNext) {
      if (ksmItemAt(at).mm != id || ksmItemAt(at).address <= before) return poolUsed(RESOURCE_KSM_ITEM) + 1;
      before = ksmItemAt(at).address;
      n++;
    }
  }
  return n;
}
