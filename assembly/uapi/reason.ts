// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
// Why a page of a migration's range stayed where it was. Linux reports all of these as one 0.

/** The page migrated, or, before pages(), is a candidate. */
export const REASON_NONE = 0;
/** A hole of a mapping that is not anonymous. */
export const REASON_HOLE_NOT_ANON = 1;
/** Pages of this kind (RAM, device-private, device-coherent) were not selected. */
export const REASON_NOT_SELECTED = 2;
/** A device page of another owner. */
export const REASON_OTHER_OWNER = 3;
/** Swapped out, device-exclusive, poisoned or a marker. */
export const REASON_NOT_PRESENT = 4;
/** The entry belongs to another open migration. */
export const REASON_MIGRATING = 5;
/** Another owner holds the page's lock. */
export const REASON_LOCKED = 6;
/** Extra references: the page is pinned. */
export const REASON_PINNED = 7;
/** A page without a mapping (vm_insert_page, PFNMAP). */
export const REASON_NO_MAPPING = 8;
/** The page could not be isolated: it was isolated before. */
export const REASON_NOT_ISOLATED = 9;
/** Still mapped after the reverse-map walk. */
export const REASON_STILL_MAPPED = 10;
/** The driver left dst at 0. */
export const REASON_NO_DESTINATION = 11;
/** A file, shmem or swap-cache page, which cannot live in device-private memory. */
export const REASON_FILE_PAGE = 12;
/** A reference appeared between setup and pages(). */
export const REASON_REFERENCED = 13;
/** A hole that a fault has filled since setup. */
export const REASON_HOLE_FILLED = 14;
/** A hole, and no page table could be allocated. */
export const REASON_NO_TABLE = 15;
/** A hole, and the memory cgroup is at its limit. */
export const REASON_MEMCG_LIMIT = 16;
/** A hole, and no anon_vma could be allocated. */
export const REASON_NO_ANON_VMA = 17;
/** A huge page, and the destination's order does not fit the source's. */
export const REASON_ORDER = 18;
/** A part of a large folio, mapped by single entries. */
export const REASON_LARGE_FOLIO = 19;
/** A userfaultfd range: its holes belong to the handler. */
export const REASON_UFFD = 20;
/** The pfn names a free page (migrateDeviceRange). */
export const REASON_FREE_PAGE = 21;
/** The driver wrote MIGRATE_PFN_ERROR. */
export const REASON_DRIVER_ERROR = 22;
export const REASON_COUNT = 23;
