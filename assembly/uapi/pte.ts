// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
//
// A page-table entry is a u64: the pfn in its high word, flags in its low word.
//
//   63                   32 31 30 29 28 27 26 25 24 23 22 21 20  12 11   8 7        0
//  ┌───────────────────────┬──┬──┬──┬──┬──┬─────┬──┬──┬──┬──┬──────┬──────┬──────────┐
//  │          pfn          │P │W │Y │H │D │  0  │X │Z │0 │N │  0   │ kind │    0     │  u64
//  └───────────────────────┴──┴──┴──┴──┴──┴─────┴──┴──┴──┴──┴──────┴──────┴──────────┘
//  P present  W writable  Y young (accessed)  H part of a huge mapping  D dirty
//  X exclusive (migration entries: the page was anon-exclusive)  N no access (PROT_NONE)
//  Z special: a page that nobody counts (the zero page)
//
// P, W and H stand where hmm_pfn has VALID, WRITE and order 2 (2 MiB): a present entry is encoded by `high |
// low & PTE_HMM`. A huge mapping (x86: a PMD leaf) is a leaf table whose 512 entries all have H: the table
// that Linux keeps in reserve for the day the mapping is split, filled at once. Code that reads entries need
// not know, and splitting needs no memory. An entry that is neither present nor 0 has a kind; its W, Y, D and
// X bits keep what the page's entry had. Entries of upper levels have P, and the next table's address in
// linear memory in the high word.

export const PTE_PRESENT = 0x80000000;
export const PTE_WRITE = 0x40000000;
export const PTE_YOUNG = 0x20000000;
export const PTE_HUGE = 0x10000000;
export const PTE_DIRTY = 0x08000000;
export const PTE_EXCLUSIVE = 0x01000000;
export const PTE_SPECIAL = 0x00800000;
/** What an hmm_pfn word takes over from a present entry. */
export const PTE_HMM = 0xd0000000;
/** The vma has no permission at all (PROT_NONE): a CPU access faults, whatever else the entry says. */
export const PTE_NO_ACCESS = 0x00200000;

export const PTE_KIND_MASK = 0x00000f00;
/** A swap slot; the high word is its number. */
export const PTE_KIND_SWAP = 0x00000100;
/** The page is locked and on its way: accesses wait. */
export const PTE_KIND_MIGRATION = 0x00000200;
/** A device-private page: no CPU may map it. */
export const PTE_KIND_DEVICE = 0x00000300;
/** A system page to which a device has exclusive access (make_device_exclusive). */
export const PTE_KIND_DEVICE_EXCLUSIVE = 0x00000400;
export const PTE_KIND_HWPOISON = 0x00000500;
/** Guard and userfaultfd markers. */
export const PTE_KIND_MARKER = 0x00000600;
