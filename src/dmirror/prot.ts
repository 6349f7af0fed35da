// A snapshot byte says what a device would find at a page:
//
//    7     6     5     4     3     2     1     0
//  ┌─────────────────┬─────┬─────┬─────┬─────┬─────┐
//  │ page's place    │ ZERO│ PUD │ PMD │WRITE│READ │   0xff: ERROR, no mapping or one without VM_READ
//  └─────────────────┴─────┴─────┴─────┴─────┴─────┘   0x00: NONE, nothing that this device may use as it is
// place: 0 system memory, 0x20 this device's private memory, 0x30 another device's, 0x40 and 0x50 likewise,
// coherent

export const DMIRROR_PROT_ERROR = 0xff;
export const DMIRROR_PROT_NONE = 0x00;
export const DMIRROR_PROT_READ = 0x01;
/** Instead of READ. */
export const DMIRROR_PROT_WRITE = 0x02;
export const DMIRROR_PROT_PMD = 0x04;
export const DMIRROR_PROT_PUD = 0x08;
export const DMIRROR_PROT_ZERO = 0x10;
export const DMIRROR_PROT_DEV_PRIVATE_LOCAL = 0x20;
export const DMIRROR_PROT_DEV_PRIVATE_REMOTE = 0x30;
export const DMIRROR_PROT_DEV_COHERENT_LOCAL = 0x40;
export const DMIRROR_PROT_DEV_COHERENT_REMOTE = 0x50;
