// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
// Linux's user-visible numbers for memory mappings, and the flags of a vma.

export const PROT_NONE = 0;
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const PROT_EXEC = 4;

export const MAP_SHARED = 0x01;
export const MAP_PRIVATE = 0x02;
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;
/** A stack: it grows down to the addresses below it that a CPU accesses. */
export const MAP_GROWSDOWN = 0x100;
/** Ignored, as in Linux. */
export const MAP_DENYWRITE = 0x800;
/** Ignored, as in Linux. */
export const MAP_EXECUTABLE = 0x1000;
/** The mapping is locked and populated, as by mlock. */
export const MAP_LOCKED = 0x2000;
/** Without effect: memory is never reserved for a mapping. */
export const MAP_NORESERVE = 0x4000;
export const MAP_POPULATE = 0x8000;
/** With MAP_POPULATE: nothing is populated. */
export const MAP_NONBLOCK = 0x10000;
/** Without effect, as in Linux. */
export const MAP_STACK = 0x20000;
/** Maps 2 MiB pages from the pool (HmmConfig.hugetlb). */
export const MAP_HUGETLB = 0x40000;
export const MAP_FIXED_NOREPLACE = 0x100000;
/** With MAP_HUGETLB: the size of the pages, of which 2 MiB is the only one built. */
export const MAP_HUGE_2MB = 0x54000000;

export const MS_ASYNC = 1;
export const MS_INVALIDATE = 2;
export const MS_SYNC = 4;

export const MREMAP_MAYMOVE = 1;
export const MREMAP_FIXED = 2;
export const MREMAP_DONTUNMAP = 4;

export const MADV_NORMAL = 0;
export const MADV_RANDOM = 1;
export const MADV_SEQUENTIAL = 2;
export const MADV_WILLNEED = 3;
export const MADV_DONTNEED = 4;
export const MADV_FREE = 8;
export const MADV_REMOVE = 9;
export const MADV_DONTFORK = 10;
export const MADV_DOFORK = 11;
export const MADV_MERGEABLE = 12;
export const MADV_UNMERGEABLE = 13;
export const MADV_HUGEPAGE = 14;
export const MADV_NOHUGEPAGE = 15;
export const MADV_WIPEONFORK = 18;
export const MADV_KEEPONFORK = 19;
export const MADV_COLD = 20;
export const MADV_PAGEOUT = 21;
export const MADV_POPULATE_READ = 22;
export const MADV_POPULATE_WRITE = 23;
export const MADV_COLLAPSE = 25;

// vma flags: Linux's values where it has one.
export const VM_READ = 0x1;
export const VM_WRITE = 0x2;
export const VM_EXEC = 0x4;
export const VM_SHARED = 0x8;
export const VM_MAYREAD = 0x10;
export const VM_MAYWRITE = 0x20;
export const VM_MAYEXEC = 0x40;
export const VM_MAYSHARE = 0x80;
export const VM_ACCESS = 0x7;
/** A stack: the vma grows down, and other mappings keep a gap below it. */
export const VM_GROWSDOWN = 0x100;
/** userfaultfd with the SIGBUS feature: an access to a missing page is a signal, whose handler fills it. */
export const VM_UFFD_MISSING = 0x200;
export const VM_PFNMAP = 0x400;
export const VM_LOCKED = 0x2000;
export const VM_IO = 0x4000;
export const VM_SEQ_READ = 0x8000;
export const VM_RAND_READ = 0x10000;
export const VM_DONTCOPY = 0x20000;
export const VM_DONTEXPAND = 0x40000;
/** A writable private mapping, which Linux counts against the commit limit. Here it only decides merging. */
export const VM_ACCOUNT = 0x100000;
export const VM_HUGETLB = 0x400000;
export const VM_WIPEONFORK = 0x2000000;
export const VM_MIXEDMAP = 0x10000000;
/** Any of four flags: a driver's mapping, which merges with no other and does not migrate. */
export const VM_SPECIAL = 0x10044400;
export const VM_HUGEPAGE = 0x20000000;
export const VM_NOHUGEPAGE = 0x40000000;
export const VM_MERGEABLE = 0x80000000;

// What a fault handler answers (VM_FAULT_*), as bits.
export const VM_FAULT_OOM = 0x1;
export const VM_FAULT_SIGBUS = 0x2;
export const VM_FAULT_MAJOR = 0x4;
export const VM_FAULT_SIGSEGV = 0x40;
export const VM_FAULT_RETRY = 0x400;
/** Any of these means that the access failed. */
export const VM_FAULT_ERROR = 0x43;

// How memory is touched: the flags of access(), fault() and pin().
/** A write; without it, a read. */
export const ACCESS_WRITE = 1;
/** Past protection, as a debugger (FOLL_FORCE): reads need VM_MAYREAD, writes a copy-on-write mapping. */
export const ACCESS_FORCE = 2;
/** By get_user_pages (pins): reads need VM_READ; failure is -EFAULT. */
export const ACCESS_GUP = 4;
/**
 * With ACCESS_GUP: the page is pinned for long (FOLL_PIN | FOLL_LONGTERM), so that it must become its
 * mapping's own.
 */
export const ACCESS_PIN = 8;

// Why an access failed: HDR_FAULT_CODE.
export const FAULT_NONE = 0;
/** SIGSEGV, SEGV_MAPERR: no mapping. */
export const FAULT_MAPERR = 1;
/** SIGSEGV, SEGV_ACCERR: no permission. */
export const FAULT_ACCERR = 2;
/** SIGBUS: beyond the file, or the driver could not bring the page back. */
export const FAULT_SIGBUS = 3;
/** No memory. */
export const FAULT_OOM = 4;
/** The page belongs to an open migration, and this caller may not wait. */
export const FAULT_MIGRATION = 5;
/** A driver's fault callback keeps answering 0 without moving the page. */
export const FAULT_LOOP = 6;
