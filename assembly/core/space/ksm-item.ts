// KSM's objects. Each merged page (FOLIO_KSM) has a node; each address that a pass has looked at has an item.
// The items whose addresses map a KSM page are in the list of its node, newest first: the reverse map of the
// page.
//
//   mm ──ksmItems──▶ item ──mmNext──▶ item ──▶ …     by address
//                      │ ▲               │
//                 node │ │ first, next   │ node
//                      ▼ │               ▼
//   chains ────────▶ node ──next──▶ …  node          by checksum
//                      │ ▲
//                  pfn ▼ │ index
//                     folio
//
// A second table of chains has the items of pages for which the current pass has found no equal page yet
// (Linux: the unstable tree). It links items through `next`, too: no item is in a chain and in a list.

import { FOLIO_KSM } from "../../abi/frame";
import { HDR_KSM_HASH, HDR_KSM_HASH_MASK } from "../../abi/header";
import { RESOURCE_KSM_ITEM, RESOURCE_KSM_NODE } from "../../abi/pool";
import { header, KSM_ITEM_SIZE, KSM_NODE_SIZE } from "../base/layout";
import { exists } from "../base/object";
import { poolAlloc, poolFree } from "../base/pool";
import { folioOf } from "../frame/folio";

/** A merged page. */
@unmanaged
export class KsmNode {
  /** The next node of its chain. */
  next: u32;
  /** The page; 0: not in use. */
  pfn: u32;
  checksum: u32;
  /** The newest item of its list. */
  first: u32;
  /** The number of items in its list. */
  length: u32;
  reserved: u32;
}

/** An address that a pass has looked at. */
@unmanaged
export class KsmItem {
  /** The item of the mm's next address. */
  mmNext: u32;
  /** The id of the mm; 0: the item stands in for an address whose own item is gone, or whose mm is closed. */
  mm: u32;
  address: u64;
  /** The next item in the list of the node, or in the chain of seen items. */
  next: u32;
  /** The node whose page the address maps; 0: none. */
  node: u32;
  /** With a node: the anon_vma whose vmas may map the page at this address. The item holds it. */
  anonVma: u32;
  /** The checksum of the page when a pass last looked at it. */
  checksum: u32;
  /** How many passes have found a page here that was not merged, 255 at most. */
  age: u8;
  /** How many of the next passes skip the address. */
  skips: u8;
  reserved0: u16;
  reserved1: u32;
}

if (offsetof<KsmNode>() != KSM_NODE_SIZE) ERROR("KSM_NODE_SIZE");
if (offsetof<KsmItem>() != KSM_ITEM_SIZE) ERROR("KSM_ITEM_SIZE");

/** Returns the node at an address of linear memory. */
@inline
export function ksmNodeAt(ptr: usize): KsmNode {
  return changetype<KsmNode>(ptr);
}

/** Returns the item at an address of linear memory. */
@inline
export function ksmItemAt(ptr: usize): KsmItem {
  return changetype<KsmItem>(ptr);
}

/** Returns the address of the head of the chain of nodes with this checksum. */
export function nodeChain(checksum: u32): usize {
  return header(HDR_KSM_HASH) + (checksum & header(HDR_KSM_HASH_MASK)) * 4;
}

/** Returns the address of the head of the chain of seen items with this checksum. */
export function seenChain(checksum: u32): usize {
  return nodeChain(checksum) + (header(HDR_KSM_HASH_MASK) + 1) * 4;
}

/** Empties the chains of seen items: a pass begins. */
export function clearSeen(): void {
  memory.fill(seenChain(0), 0, (header(HDR_KSM_HASH_MASK) + 1) * 4);
}

/** Tells whether the page of a node still exists. */
export function isAlive(node: KsmNode): bool {
  const folio = folioOf(node.pfn);
  return folio.has(FOLIO_KSM) && folio.index == <u32>changetype<usize>(node);
}

/** Creates a node for a page. Returns none when the pool is exhausted. */
export function nodeAlloc(pfn: u32, checksum: u32): KsmNode {
  const node = ksmNodeAt(poolAlloc(RESOURCE_KSM_NODE));
  if (!exists(node)) return node;
  const chain = nodeChain(checksum);
  node.pfn = pfn;
  node.checksum = checksum;
  node.next = load<u32>(chain);
  store<u32>(chain, <u32>changetype<usize>(node));
  return node;
}

/** Frees a node without items. */
export function nodeFree(node: KsmNode): void {
  unlink(nodeChain(node.checksum), <u32>changetype<usize>(node), 0);
  node.pfn = 0;
  poolFree(RESOURCE_KSM_NODE, changetype<usize>(node));
}

/** Inserts an item into the list of a node: as the first (`behind` is 0), or after the item `behind`. */
export function addItem(node: KsmNode, item: KsmItem, behind: usize): void {
  const at = behind
    ? behind + offsetof<KsmItem>("next")
    : changetype<usize>(node) + offsetof<KsmNode>("first");
  item.node = <u32>changetype<usize>(node);
  item.next = load<u32>(at);
  store<u32>(at, <u32>changetype<usize>(item));
  node.length++;
}

/** Takes an item out of the list of its node. */
export function removeItem(item: KsmItem): void {
  const node = ksmNodeAt(item.node);
  const first = changetype<usize>(node) + offsetof<KsmNode>("first");
  unlink(first, <u32>changetype<usize>(item), offsetof<KsmItem>("next"));
  node.length--;
  item.node = 0;
}

/** Takes an item out of the chain of seen items: its page was merged. */
export function forgetSeen(item: KsmItem): void {
  unlink(seenChain(item.checksum), <u32>changetype<usize>(item), offsetof<KsmItem>("next"));
}

/**
 * Takes an object out of a list whose head is at the address `first`; objects link to the next one at
 * `offset`.
 */
function unlink(first: usize, object: u32, offset: usize): void {
  let at = first;
  while (load<u32>(at) != object) at = <usize>load<u32>(at) + offset;
  store<u32>(at, load<u32>(<usize>object + offset));
}

/** Creates an item for an address, in no list. Returns none when the pool is exhausted. */
export function itemAlloc(mm: u32, address: u64): KsmItem {
  const item = ksmItemAt(poolAlloc(RESOURCE_KSM_ITEM));
  if (!exists(item)) return item;
  item.mm = mm;
  item.address = address;
  return item;
}

/** Frees an item that is in no list. */
export function itemFree(item: KsmItem): void {
  poolFree(RESOURCE_KSM_ITEM, changetype<usize>(item));
}
