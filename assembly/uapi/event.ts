// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
// Why a range is invalidated: Linux's enum mmu_notifier_event.

export const MMU_NOTIFY_UNMAP = 0;
export const MMU_NOTIFY_CLEAR = 1;
export const MMU_NOTIFY_PROTECTION_VMA = 2;
export const MMU_NOTIFY_PROTECTION_PAGE = 3;
export const MMU_NOTIFY_SOFT_DIRTY = 4;
export const MMU_NOTIFY_RELEASE = 5;
export const MMU_NOTIFY_MIGRATE = 6;
export const MMU_NOTIFY_EXCLUSIVE = 7;

// What a CPU fault did: FAULT_KIND_*.
/** A read of untouched anonymous memory: the zero page was mapped. */
export const FAULT_KIND_ZERO = 0;
/** The first write: a fresh page. */
export const FAULT_KIND_ANON = 1;
/** Copy on write, of a shared page or of the zero page. */
export const FAULT_KIND_COW = 2;
/** A write to a page that turned out to belong to this process alone: reused in place. */
export const FAULT_KIND_REUSE = 3;
/** The page came back from a device. */
export const FAULT_KIND_DEVICE = 4;
/** A page of a file. */
export const FAULT_KIND_FILE = 5;
/** Read back from swap. */
export const FAULT_KIND_SWAP = 6;
/** A device's exclusive access ended. */
export const FAULT_KIND_EXCLUSIVE = 7;
/** Only flags of the entry changed, or another fault had mapped the page by then. */
export const FAULT_KIND_SPURIOUS = 8;
