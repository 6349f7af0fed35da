// msync: writing the dirty pages of mapped files back.

import { FOLIO_DIRTY, FOLIO_LOCKED } from "../../abi/frame";
import { COMMAND_SIZE } from "../../abi/header";
import { FILE_DISK } from "../../abi/object";
import { REQUEST } from "../../abi/request";
import { ENOMEM } from "../../uapi/errno";
import { MMU_NOTIFY_PROTECTION_PAGE } from "../../uapi/event";
import { PTE_DIRTY, PTE_WRITE } from "../../uapi/pte";
import { VM_SHARED } from "../../uapi/vm";
import { exists } from "../base/object";
import { ptePfn, ptePresent } from "../base/pte";
import { mustWait } from "../fault/common";
import { folioOf } from "../frame/folio";
import { Cmd } from "../operation/cmd";
import { firstFileVma, nextFileVma } from "../operation/tell";
import { cacheLookup, File, fileAddress, fileAt } from "../space/file";
import { pgoffOf, vmaAt } from "../space/vma";
import { leafTable, nextPage, walk } from "../table/pagetable";
import { nextPiece, PiecesCmd } from "./pieces";

/** OP_MSYNC of [start, end), synchronously, a piece at a time. */
@unmanaged
export class MsyncCmd extends PiecesCmd {
  /** 1 while the piece at cursor is being written back. */
  writing: u32;
  /** The page of its file that writeBack() is at. */
  page: u64;
}

if (<i32>offsetof<MsyncCmd>() > COMMAND_SIZE) ERROR("MsyncCmd");

/**
 * Writes the dirty pages [cmd.page, end) of a disk file back: each is clean afterwards, and so are the
 * entries that map it in shared mappings, which lose their write bit. 0, REQUEST or -EAGAIN.
 */
function writeBack(cmd: MsyncCmd, file: File, end: u64): i32 {
  if (file.kind != FILE_DISK) return 0;
  const until = min(end, file.length);
  while (cmd.page < until) {
    const table = leafTable(file.root, cmd.page << 12);
    const result = table ? writePage(cmd, file, cmd.page) : 0;
    if (result) return result;
    cmd.page = nextPage(file.root, table, cmd.page << 12) >> 12;
  }
  return 0;
}

/** writeBack() of one page: 0 (also if the cache does not have it, or has it clean), REQUEST or -EAGAIN. */
function writePage(cmd: Cmd, file: File, index: u64): i32 {
  const pfn = cacheLookup(file, index);
  if (!pfn || !folioOf(pfn).has(FOLIO_DIRTY)) return 0;
  if (folioOf(pfn).has(FOLIO_LOCKED)) return mustWait(pfn);
  if (folioOf(pfn).mapcount && cleanPage(cmd, file, index, pfn) == REQUEST) return REQUEST;
  folioOf(pfn).clear(FOLIO_DIRTY);
  return 0;
}

/**
 * page_mkclean: makes the entries of shared mappings clean and read-only, announced as `prot_page`. 0 or
 * REQUEST.
 */
function cleanPage(cmd: Cmd, file: File, index: u64, pfn: u32): i32 {
  let told = firstFileVma(cmd, file, index, index + 1, MMU_NOTIFY_PROTECTION_PAGE, false);
  for (; told; told = nextFileVma(cmd, index, index + 1, MMU_NOTIFY_PROTECTION_PAGE, false)) {
    if (told == REQUEST) return REQUEST;
    const vma = vmaAt(<u32>told);
    const slot = walk(vma.mm.pgd, fileAddress(vma, index));
    const pte: u64 = slot ? load<u64>(slot) : 0;
    if (ptePresent(pte) && ptePfn(pte) == pfn) store<u64>(slot, pte & ~(<u64>(PTE_WRITE | PTE_DIRTY)));
  }
  return 0;
}

/**
 * OP_MSYNC: writes back what shared mappings of files have in each piece. -ENOMEM at the end if there was a
 * hole.
 */
export function msyncStep(cmd: MsyncCmd): i32 {
  for (let vma = nextPiece(cmd); exists(vma); vma = nextPiece(cmd)) {
    const end = min(vma.end, cmd.end);
    if (vma.file && vma.flags & VM_SHARED) {
      if (!cmd.writing) cmd.page = pgoffOf(vma, cmd.cursor);
      cmd.writing = 1;
      const result = writeBack(cmd, fileAt(vma.file), pgoffOf(vma, end));
      if (result) return result;
      cmd.writing = 0;
    }
    cmd.cursor = end;
  }
  return cmd.holeMet ? -ENOMEM : 0;
}
