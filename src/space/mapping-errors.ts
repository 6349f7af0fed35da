/** What was wrong with the arguments of a system call on mappings, as a phrase for its error. */
import { EEXIST, EFAULT, EINVAL } from "../../assembly/uapi/errno.ts";
import { TASK_SIZE } from "../../assembly/uapi/page.ts";
import { hex } from "../engine/errors.ts";

/** What a prot argument must be. */
export const PROTECTIONS = "made of PROT_READ, PROT_WRITE and PROT_EXEC";

/** Says what was wrong with the arguments of an mmap that failed; undefined if it was not the arguments. */
export function whyNotMapped(
  errno: number,
  addr: number,
  length: number,
  prot: number,
  flags: number,
): string | undefined {
  if (errno === EEXIST)
    return `MAP_FIXED_NOREPLACE, and part of ${hex(addr)}…${hex(addr + length)} is mapped`;
  if (errno !== EINVAL) return undefined;
  return (
    `flags ${hex(flags)}, prot ${hex(prot)}, addr ${hex(addr)}: MAP_SHARED or MAP_PRIVATE must be set, ` +
    `MAP_ANONYMOUS where no file is given, MAP_GROWSDOWN only with MAP_PRIVATE | MAP_ANONYMOUS, other ` +
    `flags must be MAP_* that are built, prot must be ${PROTECTIONS}, a fixed addr at least 0x10000`
  );
}

/** Says what was wrong with the range of a munmap that failed; undefined if it was not the range. */
export function whyNotUnmapped(errno: number, addr: number, length: number): string | undefined {
  if (errno !== EINVAL) return undefined;
  return (
    `addr ${hex(addr)}, length ${hex(length)}: must lie below ${hex(TASK_SIZE)}, ` +
    `and not begin or end inside a page of 2 MiB of a hugetlb mapping`
  );
}

/** Says what was wrong with the arguments of an mremap that failed; undefined if it was not the arguments. */
export function whyNotRemapped(
  errno: number,
  addr: number,
  from: number,
  to: number,
  flags: number,
  newAddr: number,
): string | undefined {
  if (errno === EFAULT) return `addr ${hex(addr)}, oldLength ${hex(from)}: must lie inside one mapping`;
  if (errno !== EINVAL) return undefined;
  const given = `oldLength ${hex(from)}, newLength ${hex(to)}, flags ${hex(flags)}, newAddr ${hex(newAddr)}`;
  return (
    `${given}: flags must be made of MREMAP_*, FIXED and DONTUNMAP need MREMAP_MAYMOVE, ` +
    `newLength must be above 0, oldLength too unless the mapping is shared, the ranges must lie below ` +
    `${hex(TASK_SIZE)} and not overlap`
  );
}
