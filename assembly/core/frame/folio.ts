// Folios: what is known of each frame. (Drawn in abi/frame.ts.)

import {
  FOLIO_COUNT_MASK,
  FOLIO_FLAGS,
  FOLIO_INDEX,
  FOLIO_MAPPING,
  FOLIO_MAPS,
  FOLIO_REFS,
  FOLIO_SIZE,
} from "../../abi/frame";
import { HDR_DEVICE_BASE, HDR_FOLIOS, HDR_FRAMES } from "../../abi/header";
import { header } from "../base/layout";


@unmanaged
export class Folio {
  /** memcg id << 24 | references */
  refs: u32;
  /** index bits 32…39 << 24 | mappings, migration entries not among them */
  maps: u32;
  /** index bits 0…31 */
  index: u32;
  mapping: u16;
  flags: u16;


  @inline get refcount(): u32 {
    return this.refs & FOLIO_COUNT_MASK;
  }


  @inline get mapcount(): u32 {
    return this.maps & FOLIO_COUNT_MASK;
  }


  @inline get memcg(): u32 {
    return this.refs >> 24;
  }


  @inline set memcg(id: u32) {
    this.refs = (this.refs & FOLIO_COUNT_MASK) | (id << 24);
  }
  /** Page offset in the anon_vma or file. */
  @inline get pgoff(): u64 {
    return ((<u64>(this.maps >> 24)) << 32) | this.index;
  }


  @inline set pgoff(value: u64) {
    this.index = <u32>value;
    this.maps = (this.maps & FOLIO_COUNT_MASK) | ((<u32>(value >> 32)) << 24);
  }


  @inline has(flag: u32): bool {
    return (this.flags & flag) != 0;
  }


  @inline set(flag: u32): void {
    this.flags = <u16>(this.flags | flag);
  }


  @inline clear(flag: u32): void {
    this.flags = <u16>(this.flags & ~flag);
  }
}

if (offsetof<Folio>() != FOLIO_SIZE) ERROR("FOLIO_SIZE");
if (offsetof<Folio>("refs") != FOLIO_REFS) ERROR("FOLIO_REFS");
if (offsetof<Folio>("maps") != FOLIO_MAPS) ERROR("FOLIO_MAPS");
if (offsetof<Folio>("index") != FOLIO_INDEX) ERROR("FOLIO_INDEX");
if (offsetof<Folio>("mapping") != FOLIO_MAPPING) ERROR("FOLIO_MAPPING");
if (offsetof<Folio>("flags") != FOLIO_FLAGS) ERROR("FOLIO_FLAGS");


@inline
export function folioOf(pfn: u32): Folio {
  return changetype<Folio>(header(HDR_FOLIOS) + pfn * FOLIO_SIZE);
}


@inline
export function isDevicePfn(pfn: u32): bool {
  return pfn >= header(HDR_DEVICE_BASE);
}

/** Address of a frame's bytes. Only where frames have bytes. */
@inline
export function frameOf(pfn: u32): usize {
  return header(HDR_FRAMES) + (pfn << 12);
}
