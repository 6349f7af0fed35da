// The rules in which Linux 6.12 and Linux 7.3 differ. Each stands here once, named by what 7.3 does; the code
// elsewhere asks these functions and never the version. In parentheses: the section of the description of the
// records of 7.3. docs/linux.md lists these functions, and a test compares.

import { HDR_FLAGS, HDR_FLAG_LINUX_7_3 } from "../../abi/header";
import { header } from "./layout";

/** Does the engine answer like Linux 7.3? */
@inline
function newer(): bool {
  return (header(HDR_FLAGS) & HDR_FLAG_LINUX_7_3) != 0;
}

/**
 * Is exclusive access taken page by page, up to the first page that cannot be? In 6.12 all pages are
 * faulted in first, and a page of a large folio takes its whole folio along or fails. (4.1, 4.2)
 */
@inline
export function exclusiveGoesPageByPage(): bool {
  return newer();
}

/** Does the end of a device's exclusive access send `clear`? In 6.12 it sends `exclusive`. (4.3) */
@inline
export function revokeSendsClear(): bool {
  return newer();
}

/** Does a device-exclusive entry count as a mapping of its page? In 6.12 it only has a reference. (7) */
@inline
export function exclusiveStaysMapped(): bool {
  return newer();
}

/**
 * Does the split of a large folio tell each vma once, of its part? In 6.12 it also tells of the 2 MiB
 * before. (4.4)
 */
@inline
export function splitTellsOnce(): bool {
  return newer();
}

/** Does a migration split a large folio that single entries map? In 6.12 its pages stay. (4.5) */
@inline
export function splitsMappedParts(): bool {
  return newer();
}

/**
 * Does a migration leave a huge mapping alone whose pages it does not select? In 6.12 it splits the
 * mapping. (4.6)
 */
@inline
export function leavesUnselectedHuge(): bool {
  return newer();
}

/**
 * Is the huge zero page split when the first page is inserted? In 6.12 that happens before the migration
 * collects. (4.7)
 */
@inline
export function splitsHugeZeroLate(): bool {
  return newer();
}

/**
 * Does a write to the huge zero page map a huge page? In 6.12 it maps one page and 511 zero pages. (4.8)
 */
@inline
export function hugeZeroBecomesHuge(): bool {
  return newer();
}

/** Does MADV_DONTNEED of 2 MiB free their page table (CONFIG_PT_RECLAIM)? In 6.12 the table stays. (4.9) */
@inline
export function dontneedFreesTables(): bool {
  return newer();
}

/**
 * Does MADV_COLLAPSE collapse a block without a writable present page, such as one whose pages are on a
 * device? In 6.12 it refuses. (4.10)
 */
@inline
export function collapsesReadOnly(): bool {
  return newer();
}

/**
 * May mremap move a range of several mappings, with holes? In 6.12 it fails with EFAULT, after it has
 * unmapped the target. (4.11)
 */
@inline
export function mremapMovesSeveral(): bool {
  return newer();
}

/**
 * Does MADV_PAGEOUT swap a large folio in one piece (CONFIG_THP_SWAP)? In 6.12 it splits the folio first.
 * (4.12)
 */
@inline
export function swapsWhole(): bool {
  return newer();
}

/**
 * Does a page that comes back from swap space leave the swap cache with its slot's last entry, dirty? In 6.12
 * a page that was not in the cache is clean, and one that was stays there until it is written. (4.12)
 */
@inline
export function swapInLeavesCache(): bool {
  return newer();
}

/**
 * Is a page that a device had for itself writable again if its mapping is and the page is the mapping's
 * own? In 6.12 it is as writable as it was, and mprotect takes that away. (4)
 */
@inline
export function exclusiveComesBackWritable(): bool {
  return newer();
}

/**
 * Does a large folio that cannot be split end a migration's look at its 2 MiB? In 6.12 the pages after it
 * are candidates. (3)
 */
@inline
export function pinnedPartSkipsBlock(): bool {
  return newer();
}

/**
 * Does MADV_FREE mark pages that MADV_PAGEOUT may drop? In 6.12 they are only clean and old, as the records
 * show no mark. (6)
 */
@inline
export function freeMarksPages(): bool {
  return newer();
}

/**
 * Is a write to a part of a large folio that one process has alone made in place? In 6.12 only to the last
 * part. (7)
 */
@inline
export function reusesOwnParts(): bool {
  return newer();
}

/**
 * Does a page of a device that a locked mapping unmaps stay in use until the kernel drains its batch of such
 * pages? In 6.12 it is free at once. (6)
 */
@inline
export function munlocksInBatches(): bool {
  return newer();
}
