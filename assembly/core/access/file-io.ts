// Reading and writing files, through the exchange buffer.

import { XBUF_SIZE } from "../../abi/argument";
import { FOLIO_DIRTY, FOLIO_LOCKED } from "../../abi/frame";
import { HDR_XBUF } from "../../abi/header";
import { FILE_DISK } from "../../abi/object";
import { EINVAL, ENOMEM } from "../../uapi/errno";
import { header } from "../base/layout";
import { exists } from "../base/object";
import { mustWait } from "../fault/common";
import { folioOf } from "../frame/folio";
import { memcgOf } from "../frame/memcg";
import { cacheGet, cacheLookup, fileOf } from "../space/file";
import { addressOf } from "../table/pagetable";
import { bytesInPage, readPage, writePage } from "./bytes";

/** Reads up to `length` bytes into the exchange buffer. Returns the bytes read: 0 at the end of the file. */
export function fileRead(id: u32, offset: f64, length: u32): i32 {
  const file = fileOf(id);
  if (!exists(file)) return -EINVAL;
  const start = addressOf(offset);
  if (start >= file.bytes) return 0;
  const total = <u32>min<u64>(min<u32>(length, XBUF_SIZE), file.bytes - start);
  const buffer: usize = header(HDR_XBUF);
  for (let done: u32 = 0; done < total;) {
    const at = start + done;
    const part = <u32>bytesInPage(at, total - done);
    const pfn = cacheLookup(file, at >> 12);
    if (pfn) readPage(pfn, at, buffer + done, part);
    else memory.fill(buffer + done, 0, part);
    done += part;
  }
  return total;
}

/**
 * Writes `length` bytes, not 0, from the exchange buffer. Returns how many could be, or the first one's
 * error.
 */
export function fileWrite(id: u32, offset: f64, length: u32, memcg: u32): i32 {
  const file = fileOf(id);
  if (!exists(file) || (memcg && !memcgOf(memcg))) return -EINVAL;
  const start = addressOf(offset);
  const total = min<u32>(length, XBUF_SIZE);
  const buffer: usize = header(HDR_XBUF);
  let done: u32 = 0;
  while (done < total) {
    const at = start + done;
    const part = <u32>bytesInPage(at, total - done);
    const pfn = cacheGet(file, at >> 12, memcg);
    if (!pfn) break;
    // A migration is moving its contents.
    if (folioOf(pfn).has(FOLIO_LOCKED)) {
      if (!done) return mustWait(pfn);
      break;
    }
    writePage(pfn, at, buffer + done, part);
    if (file.kind == FILE_DISK) folioOf(pfn).set(FOLIO_DIRTY);
    done += part;
  }
  if (done) file.bytes = max(file.bytes, start + done);
  return done ? done : -ENOMEM;
}
