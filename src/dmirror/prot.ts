// A snapshot byte says what a device finds at a page:
//
//    7     6     5     4     3     2     1     0
//  ┌─────────────────┬─────┬─────┬─────┬─────┬─────┐
//  │      place      │ZERO │ PUD │ PMD │WRITE│READ │
//  └─────────────────┴─────┴─────┴─────┴─────┴─────┘
// place: 0 system memory, else one of the DEV_* values below; the REMOTE ones also set the bit of ZERO, which
// means the zero page only where place is 0

/** No mapping, or a mapping without VM_READ. */
export const DMIRROR_PROT_ERROR = 0xff;
/** Nothing that the device may use as it is. */
export const DMIRROR_PROT_NONE = 0x00;
/** The page may be read. */
export const DMIRROR_PROT_READ = 0x01;
/** The page may be read and written; READ is not set then. */
export const DMIRROR_PROT_WRITE = 0x02;
/** The mapping covers 2 MiB. */
export const DMIRROR_PROT_PMD = 0x04;
/** The mapping covers 1 GiB, as in the kernel's driver; the engine makes no such mappings. */
export const DMIRROR_PROT_PUD = 0x08;
/** The zero page. */
export const DMIRROR_PROT_ZERO = 0x10;
/** A page in this device's private memory. */
export const DMIRROR_PROT_DEV_PRIVATE_LOCAL = 0x20;
/** A page in another device's private memory. */
export const DMIRROR_PROT_DEV_PRIVATE_REMOTE = 0x30;
/** A page in this device's coherent memory. */
export const DMIRROR_PROT_DEV_COHERENT_LOCAL = 0x40;
/** A page in another device's coherent memory. */
export const DMIRROR_PROT_DEV_COHERENT_REMOTE = 0x50;
