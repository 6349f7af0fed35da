// Reading and writing files, through the exchange buffer.

import { EINVAL, ENOMEM } from "../../uapi/errno";
import { PAGE_SIZE } from "../../uapi/page";
import { XBUF_SIZE } from "../../abi/argument";
import { FOLIO_DIRTY, FOLIO_LOCKED } from "../../abi/frame";
import { HDR_XBUF } from "../../abi/header";
import { FILE_DISK } from "../../abi/object";
import { header } from "../base/layout";
import { exists } from "../base/object";
import { mustWait } from "../fault/common";
import { folioOf, frameOf } from "../frame/folio";
import { memcgOf } from "../frame/memcg";
import { cacheGet, cacheLookup, fileOf } from "../space/file";
import { addressOf } from "../table/pagetable";

export function fileRead(id: u32, offset: f64, length: u32): i32 {
  const file = fileOf(id);
  if (!exists(file)) return -EINVAL;
  const start = addressOf(offset);
  if (start >= file.bytes) return 0;
  const total = <u32>min<u64>(min<u32>(length, XBUF_SIZE), file.bytes - start);
  const buffer: usize = header(HDR_XBUF);
  for (let done: u32 = 0; done < total;) {
    const at = (<u32>(start + done)) & (PAGE_SIZE - 1);
    const part = min<u32>(PAGE_SIZE - at, total - done);
    const pfn = cacheLookup(file, (start + done) >> 12);
    if (pfn && frameOf(0)) memory.copy(buffer + done, frameOf(pfn) + at, part);
    else memory.fill(buffer + done, 0, part);
    done += part;
  }
  return total;
}

/** Writes `length` bytes, not 0, from the exchange buffer. Returns how many could be, or the first one's error. */
export function fileWrite(id: u32, offset: f64, length: u32, memcg: u32): i32 {
  const file = fileOf(id);
  if (!exists(file) || (memcg && !memcgOf(memcg))) return -EINVAL;
  const start = addressOf(offset);
  const total = min<u32>(length, XBUF_SIZE);
  const buffer: usize = header(HDR_XBUF);
  let done: u32 = 0;
  while (done < total) {
    const at = (<u32>(start + done)) & (PAGE_SIZE - 1);
    const part = min<u32>(PAGE_SIZE - at, total - done);
    const pfn = cacheGet(file, (start + done) >> 12, memcg);
    if (!pfn) break;
    // Its content is being moved.
    if (folioOf(pfn).has(FOLIO_LOCKED)) {
      if (!done) return mustWait(pfn);
      break;
    }
    if (frameOf(0)) memory.copy(frameOf(pfn) + at, buffer + done, part);
    if (file.kind == FILE_DISK) folioOf(pfn).set(FOLIO_DIRTY);
    done += part;
  }
  if (done) file.bytes = max(file.bytes, start + done);
  return done ? done : -ENOMEM;
}
