// This file is shared by the core (asc) and the TypeScript API (tsc) and must remain portable.
//
// What can run out. Resources below POOL_COUNT are pools of equal objects, and have a descriptor each, at
// HEADER + POOLS + POOL_STRIDE * RESOURCE_*. Ids start at 1; the object of id i is at base + i * object size.
//
//   0         4             8            12        16          20                    32
//  ┌─────────┬─────────────┬────────────┬─────────┬───────────┬───────────┬─────────┐
//  │  base   │ object size │  capacity  │  used   │ free list │   high    │    0    │  u32 each
//  └─────────┴─────────────┴────────────┴─────────┴───────────┴───────────┴─────────┘
//  free list: address of a free object, which holds the next one's.  high: ids ever handed out.

export const POOL_STRIDE = 32;
export const POOL_BASE = 0;
export const POOL_OBJECT_SIZE = 4;
export const POOL_CAPACITY = 8;
export const POOL_USED = 12;
export const POOL_FREE = 16;
export const POOL_HIGH = 20;

export const RESOURCE_MM = 0;
export const RESOURCE_VMA = 1;
export const RESOURCE_ANON_VMA = 2;
/** Links between vmas and anon_vmas. */
export const RESOURCE_AVC = 3;
export const RESOURCE_PAGE_TABLE = 4;
export const RESOURCE_NOTIFIER = 5;
export const RESOURCE_MEMCG = 6;
export const RESOURCE_MIGRATION = 7;
export const RESOURCE_DEVICE_TABLE = 8;
export const RESOURCE_FILE = 9;
export const RESOURCE_KSM_NODE = 10;
export const RESOURCE_KSM_ITEM = 11;
export const POOL_COUNT = 12;

// These are no pools: only HDR_EXHAUSTED names them.
export const RESOURCE_SYSTEM_MEMORY = 16;
export const RESOURCE_DEVICE_MEMORY = 17;
export const RESOURCE_ARENA = 18;
export const RESOURCE_COMMANDS = 19;
export const RESOURCE_MEMCG_LIMIT = 20;
export const RESOURCE_ADDRESS_SPACE = 21;
export const RESOURCE_DEVMEM = 22;
/** Nothing ran out: the failure was asked for (HDR_FAIL_ALLOC). */
export const RESOURCE_INJECTED = 23;
export const RESOURCE_HUGETLB = 24;
