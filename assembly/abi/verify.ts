// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
//
// What verify() finds broken. mm, a, b and c are the header's HDR_VERIFY_*.

export const VERIFY_OK = 0;
export const VERIFY_REFCOUNT = 1; //       a pfn, b counted, c found
export const VERIFY_MAPCOUNT = 2; //       a pfn, b counted, c found
export const VERIFY_FREE_LIST = 3; //      a pfn: free and used, on two lists, or on none
export const VERIFY_DEVICE_PRESENT = 4; // a address, b pfn: a present CPU entry of a device page
export const VERIFY_MIRROR_PAGE = 5; //    a address, b pfn of the device, c pfn of the CPU
export const VERIFY_MIRROR_WRITE = 6; //   a address, b pfn: the device may write, the CPU may not
export const VERIFY_RSS = 7; //            a kind (0 anon, 1 file, 2 shmem, 3 swap), b counted, c found
export const VERIFY_MEMCG = 8; //          a memcg, b counted, c found
export const VERIFY_MIGRATION_ENTRY = 9; //a address, b pfn: an entry whose page no open migration locks
export const VERIFY_VMA_ORDER = 10; //     a address: vmas overlap, are empty or out of order
export const VERIFY_VMA_TREE = 11; //      a address: tree and list of vmas differ
export const VERIFY_ENTRY_OUTSIDE = 12; // a address: an entry that no vma covers
export const VERIFY_WRITE_BIT = 13; //     a address: writable in a vma that is not
export const VERIFY_RMAP = 14; //          a address, b pfn: the reverse map does not find this entry
export const VERIFY_POOL = 15; //          a RESOURCE_* of a pool, b counted, c found
export const VERIFY_EXCLUSIVE = 16; //     a pfn: anon-exclusive, and mapped more than once
export const VERIFY_ANON_VMA = 17; //      a id: links or counts are wrong
export const VERIFY_ARENA = 18; //         a address: a broken block
export const VERIFY_TABLE_META = 19; //    a table's address: owner or level wrong
export const VERIFY_LOCKED = 20; //        a pfn: locked while no migration is open
export const VERIFY_HUGE = 21; //          a address: a huge mapping whose entries do not belong together
