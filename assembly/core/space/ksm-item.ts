// KSM's objects. Each page that was merged (FOLIO_KSM) has a node; each address that a pass has looked at has an item.
// An item whose address has a KSM page is in its node's list, the newest first: that list is the page's reverse map.
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
// A second table of chains has the items of pages that the present pass has seen and found nothing alike for (Linux: the
// unstable tree). Items are in it through `next`, too: none is in both.

import { FOLIO_KSM } from "../../abi/frame";
import { HDR_KSM_HASH, HDR_KSM_HASH_MASK } from "../../abi/header";
import { RESOURCE_KSM_ITEM, RESOURCE_KSM_NODE } from "../../abi/pool";
import { header, KSM_ITEM_SIZE, KSM_NODE_SIZE } from "../base/layout";
import { exists } from "../base/object";
import { poolAlloc, poolFree } from "../base/pool";
import { folioOf } from "../frame/folio";


@unmanaged
export class KsmNode {
  /** In its chain. */
  next: u32;
  /** 0: not in use */
  pfn: u32;
  checksum: u32;
  first: u32;
  /** Items in its list. */
  length: u32;
  unused: u32;
}


@unmanaged
export class KsmItem {
  mmNext: u32;
  /** 0: stands in for an address whose own item has left, or whose mm has closed */
  mm: u32;
  address: u64;
  next: u32;
  /** 0: none */
  node: u32;
  /** With a node: the anon_vma whose vmas may map the page at this address. The item holds it. */
  anonVma: u32;
  /** Of the page, when it was last looked at. */
  checksum: u32;
  /** Passes that have found a page here that was not KSM's, up to 255; and how many of the next ones leave it out. */
  age: u8;
  skips: u8;
  unused0: u16;
  unused1: u32;
}

if (offsetof<KsmNode>() != KSM_NODE_SIZE) ERROR("KSM_NODE_SIZE");
if (offsetof<KsmItem>() != KSM_ITEM_SIZE) ERROR("KSM_ITEM_SIZE");


@inline
export function ksmNodeAt(ptr: usize): KsmNode {
  return changetype<KsmNode>(ptr);
}


@inline
export function ksmItemAt(ptr: usize): KsmItem {
  return changetype<KsmItem>(ptr);
}

/** Where the chain of nodes with this checksum begins. */
export function nodeChain(checksum: u32): usize {
  return header(HDR_KSM_HASH) + (checksum & header(HDR_KSM_HASH_MASK)) * 4;
}

/** … of items that this pass has seen. */
export function seenChain(checksum: u32): usize {
  return nodeChain(checksum) + (header(HDR_KSM_HASH_MASK) + 1) * 4;
}

/** A pass begins: it has seen nothing. */
export function clearSeen(): void {
  memory.fill(seenChain(0), 0, (header(HDR_KSM_HASH_MASK) + 1) * 4);
}

/** Does the node's page still exist? */
export function isAlive(node: KsmNode): bool {
  const folio = folioOf(node.pfn);
  return folio.has(FOLIO_KSM) && folio.index == <u32>changetype<usize>(node);
}

/** A node for a page; null when the table is full. */
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

/** Of a node without items. */
export function nodeFree(node: KsmNode): void {
  unlink(nodeChain(node.checksum), <u32>changetype<usize>(node), 0);
  node.pfn = 0;
  poolFree(RESOURCE_KSM_NODE, changetype<usize>(node));
}

/** Puts an item into the node's list: first, or behind another one. */
export function addItem(node: KsmNode, item: KsmItem, behind: usize): void {
  const at = behind
    ? behind + offsetof<KsmItem>("next")
    : changetype<usize>(node) + offsetof<KsmNode>("first");
  item.node = <u32>changetype<usize>(node);
  item.next = load<u32>(at);
  store<u32>(at, <u32>changetype<usize>(item));
  node.length++;
}

/** Takes an item out of its node's list. */
export function removeItem(item: KsmItem): void {
  const node = ksmNodeAt(item.node);
  const first = changetype<usize>(node) + offsetof<KsmNode>("first");
  unlink(first, <u32>changetype<usize>(item), offsetof<KsmItem>("next"));
  node.length--;
  item.node = 0;
}

/** Takes an item that merged out of the chain of what this pass has seen. */
export function forgetSeen(item: KsmItem): void {
  unlink(seenChain(item.checksum), <u32>changetype<usize>(item), offsetof<KsmItem>("next"));
}

/** Takes an object out of a list that begins at `first`; each links to the next at `offset`. */
function unlink(first: usize, object: u32, offset: usize): void {
  let at = first;
  while (load<u32>(at) != object) at = <usize>load<u32>(at) + offset;
  store<u32>(at, load<u32>(<usize>object + offset));
}

/** An item of an address, in no list; null when the table is full. */
export function itemAlloc(mm: u32, address: u64): KsmItem {
  const item = ksmItemAt(poolAlloc(RESOURCE_KSM_ITEM));
  if (!exists(item)) return item;
  item.mm = mm;
  item.address = address;
  return item;
}

export function itemFree(item: KsmItem): void {
  poolFree(RESOURCE_KSM_ITEM, changetype<usize>(item));
}
