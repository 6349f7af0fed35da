// The engine's data layout and basic steps in C: entries, tables, folios, blocks of frames, memory cgroups.
// assembly/uapi and assembly/abi draw the words and structs. The steps follow the files pool, pagetable,
// page-alloc and memcg of assembly/core, down to the order in which frames are allocated. Therefore a twin's
// result can be compared with the engine's word for word.
#ifndef HMM_H
#define HMM_H

#include "twin.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096u
#define PMD_PAGES 512u
#define PMD_SIZE (1ull << 21)

static inline u64 min_u64(u64 a, u64 b) { return a < b ? a : b; }

// ── Entries: the pfn (upper levels: the next table) in the high word, flags in the low word ────────────────

#define PTE_PRESENT 0x80000000u
#define PTE_WRITE 0x40000000u
#define PTE_YOUNG 0x20000000u
#define PTE_DIRTY 0x08000000u
#define PTE_SOFT_DIRTY 0x04000000u
#define PTE_UFFD_WP 0x02000000u
#define PTE_EXCLUSIVE 0x01000000u
#define PTE_SPECIAL 0x00800000u
#define PTE_KIND_MASK 0x00000f00u
#define PTE_KIND_SWAP 0x00000100u
#define PTE_KIND_MIGRATION 0x00000200u
#define PTE_KIND_DEVICE 0x00000300u

#define HMM_PFN_VALID 0x80000000u
#define HMM_PFN_WRITE 0x40000000u

#define MIGRATE_PFN_VALID 0x80000000u
#define MIGRATE_PFN_MIGRATE 0x40000000u
#define MIGRATE_PFN_WRITE 0x20000000u
#define PFN_MASK 0x07ffffffu

static inline u64 make_pte(u32 pfn, u32 flags) { return (u64)pfn << 32 | flags; }
static inline u32 pte_pfn(u64 pte) { return (u32)(pte >> 32); }
static inline u32 pte_flags(u64 pte) { return (u32)pte; }
static inline bool pte_present(u64 pte) { return pte_flags(pte) & PTE_PRESENT; }
static inline u32 pte_kind(u64 pte) { return pte_flags(pte) & PTE_KIND_MASK; }

// ── Tables: 4 KiB each, named by their offset in the pool (in the engine: by their address in linear memory)

struct table_meta {
  u32 owner, level, base, unused;
};

static u8 *table_pool;
static struct table_meta *table_metas;
static u32 tables_used, tables_high, tables_free, tables_capacity;

static inline u64 *table_at(u32 table) { return (u64 *)(table_pool + table); }
static inline u64 *slot(u32 table, u64 address, u32 shift) {
  return table_at(table) + (address >> shift & 511);
}
static inline u32 next_table(const u64 *entry) { return (u32)(*entry >> 32); }

static inline u32 alloc_table(u32 owner, u32 level, u64 address) {
  u32 table = tables_free;
  if (table) {
    tables_free = *(u32 *)table_at(table);
  } else {
    if (tables_high == tables_capacity) return 0;
    table = ++tables_high * PAGE_SIZE;
  }
  memset(table_at(table), 0, PAGE_SIZE);
  tables_used++;
  struct table_meta *meta = &table_metas[table >> PAGE_SHIFT];
  meta->owner = owner;
  meta->level = level;
  meta->base = (u32)(address >> 21) & ~((1u << (level * 9)) - 1);
  return table;
}

static inline void free_table(u32 table) {
  table_metas[table >> PAGE_SHIFT].owner = 0;
  *(u32 *)table_at(table) = tables_free;
  tables_free = table;
  tables_used--;
}

static inline void init_tables(u32 capacity) {
  tables_capacity = capacity;
  table_pool = memory((size_t)(capacity + 1) * PAGE_SIZE);
  table_metas = memory((size_t)(capacity + 1) * sizeof *table_metas);
}

/** Returns the leaf table that covers address, or 0. */
static inline u32 leaf_table(u32 root, u64 address) {
  u32 pud = next_table(slot(root, address, 39));
  if (!pud) return 0;
  u32 pmd = next_table(slot(pud, address, 30));
  if (!pmd) return 0;
  return next_table(slot(pmd, address, 21));
}

/** Returns the entry of address, or NULL if it has no leaf table. */
static inline u64 *walk(u32 root, u64 address) {
  u32 table = leaf_table(root, address);
  return table ? slot(table, address, PAGE_SHIFT) : NULL;
}

static inline u64 *walk_missing(u32 root, u64 address) {
  u32 at = root;
  for (u32 level = 3; level > 0; level--) {
    u64 *entry = slot(at, address, PAGE_SHIFT + level * 9);
    u32 below = next_table(entry);
    if (!below) {
      below = alloc_table(1, level - 1, address);
      if (!below) fail("out of page tables");
      *entry = make_pte(below, PTE_PRESENT);
    }
    at = below;
  }
  return slot(at, address, PAGE_SHIFT);
}

/** Like walk(), but creates missing tables. */
static inline u64 *walk_alloc(u32 root, u64 address) {
  u32 table = leaf_table(root, address);
  return table ? slot(table, address, PAGE_SHIFT) : walk_missing(root, address);
}

/** Returns the end of the 2 MiB span that contains address, or `end` if that comes first. */
static inline u64 leaf_end(u64 address, u64 end) { return min_u64((address | (PMD_SIZE - 1)) + 1, end); }

// ── Frames ─────────────────────────────────────────────────────────────────────────────────────────────────

#define FOLIO_COUNT_MASK 0x00ffffffu
#define FOLIO_LOCKED 0x0001
#define FOLIO_LRU 0x0002
#define FOLIO_DIRTY 0x0004
#define FOLIO_ANON 0x0008
#define FOLIO_ANON_EXCLUSIVE 0x0010
#define FOLIO_FREE 0x2000

struct folio {
  u32 refs; // memcg id << 24 | references
  u32 maps; // index bits 32…39 << 24 | mappings
  u32 index;
  u16 mapping;
  u16 flags;
};

struct block {
  u64 bitmap[8]; // 1 = free
  struct block_links {
    u32 prev, next; // block number + 1
  } links;
  u16 free, zone;
  u32 unused;
};

struct zone {
  u32 free_pages, free_blocks, partial_blocks;
  u32 freed_head, freed_tail, freed_count;
};

#define RESERVED_FRAMES 2u // pfn 0: none; pfn 1: the zero page

static struct folio *folios;
static struct block *blocks;
static struct zone zones[2];
static u8 *frames; // NULL: frames have no bytes
static u32 device_base;

static inline struct folio *folio_of(u32 pfn) { return &folios[pfn]; }
static inline u8 *frame_of(u32 pfn) { return frames + ((size_t)pfn << PAGE_SHIFT); }
static inline struct block *block_at(u32 link) { return &blocks[link - 1]; }
static inline u32 block_link(const struct block *b) { return (u32)(b - blocks) + 1; }

// Device pages by how recently their device used them: a list of pfns with two links each. As in the engine,
// only a replay keeps this list (replay.c defines KEEPS_LRU).

#ifdef KEEPS_LRU
struct lru_links {
  u32 newer, older;
};

static struct lru_links *lru; // of the first device frame
static u32 lru_head, lru_tail;

static inline struct lru_links *lru_of(u32 pfn) { return &lru[pfn - device_base]; }

static inline void lru_remove(u32 pfn) {
  struct lru_links links = *lru_of(pfn);
  if (!links.newer && !links.older && lru_head != pfn) return;
  if (links.newer) lru_of(links.newer)->older = links.older;
  else lru_head = links.older;
  if (links.older) lru_of(links.older)->newer = links.newer;
  else lru_tail = links.newer;
  *lru_of(pfn) = (struct lru_links){0, 0};
}

/** Moves a page to the front: its device has just used it. */
static inline void lru_touch(u32 pfn) {
  if (lru_head == pfn) return;
  lru_remove(pfn);
  lru_of(pfn)->older = lru_head;
  if (lru_head) lru_of(lru_head)->newer = pfn;
  else lru_tail = pfn;
  lru_head = pfn;
}
#else
static inline void lru_remove(u32 pfn) { (void)pfn; }
static inline void lru_touch(u32 pfn) { (void)pfn; }
#endif

static inline void list_push(u32 *head, struct block *b) {
  u32 first = *head;
  b->links = (struct block_links){0, first};
  if (first) block_at(first)->links.prev = block_link(b);
  *head = block_link(b);
}

static inline void list_remove(u32 *head, struct block *b) {
  struct block_links links = b->links;
  if (links.prev) block_at(links.prev)->links.next = links.next;
  else *head = links.next;
  if (links.next) block_at(links.next)->links.prev = links.prev;
}

static inline void init_zone(u32 zone, u32 first, u32 end) {
  struct zone *z = &zones[zone];
  z->free_pages = end - first;
  for (u32 last = end; last > first;) {
    u32 from = (last - 1) & ~(PMD_PAGES - 1);
    if (from < first) from = first;
    struct block *b = &blocks[from >> 9];
    for (u32 pfn = from; pfn < last; pfn++) {
      b->bitmap[(pfn & 511) >> 6] |= 1ull << (pfn & 63);
      folio_of(pfn)->flags = FOLIO_FREE;
    }
    b->free = (u16)(last - from);
    b->zone = (u16)zone;
    list_push(last - from == PMD_PAGES ? &z->free_blocks : &z->partial_blocks, b);
    last = from;
  }
}

// A gap below device memory, as in layout.ts: some processors copy slowly between pages a multiple of 256 MiB
// apart.
#define GAP_BLOCKS 2
#define GAP_FROM (1u << 15)

/** Where the bytes of frames come from. */
static void *(*bytes_of_frames)(size_t bytes) = memory;

/** Creates zone 0 with `system` frames and zone 1 with `device` frames. */
static inline void init_frames(u32 system, u32 device, bool data) {
  device_base = (RESERVED_FRAMES + system + PMD_PAGES - 1) & ~(PMD_PAGES - 1);
  if (system >= GAP_FROM) device_base += GAP_BLOCKS * PMD_PAGES;
  size_t count = device_base + ((device + PMD_PAGES - 1) & ~(PMD_PAGES - 1));
  folios = memory(count * sizeof *folios);
  blocks = memory(count / PMD_PAGES * sizeof *blocks);
  frames = data ? bytes_of_frames(count * PAGE_SIZE) : NULL;
#ifdef KEEPS_LRU
  if (device) lru = memory((count - device_base) * sizeof *lru);
#endif
  init_zone(0, RESERVED_FRAMES, RESERVED_FRAMES + system);
  if (device) init_zone(1, device_base, device_base + device);
}

/** Returns a frame of the zone with one reference and no flags, or 0 if the zone is empty. */
static inline u32 alloc_frame(u32 zone) {
  struct zone *z = &zones[zone];
  if (!z->partial_blocks) {
    if (!z->free_blocks) return 0;
    struct block *fresh = block_at(z->free_blocks);
    list_remove(&z->free_blocks, fresh);
    list_push(&z->partial_blocks, fresh);
  }
  struct block *b = block_at(z->partial_blocks);
  u32 word = 0;
  while (!b->bitmap[word]) word++;
  u64 bits = b->bitmap[word];
  b->bitmap[word] = bits & (bits - 1);
  if (!--b->free) list_remove(&z->partial_blocks, b);
  z->free_pages--;
  u32 pfn = (u32)(b - blocks) * PMD_PAGES + word * 64 + (u32)__builtin_ctzll(bits);
  struct folio *folio = folio_of(pfn);
  if (folio->flags != FOLIO_FREE) fail("alloc_frame: the frame is in use");
  *folio = (struct folio){.refs = 1, .index = folio->index};
  return pfn;
}

static inline void free_frame(u32 pfn) {
  struct block *b = &blocks[pfn >> 9];
  struct zone *z = &zones[b->zone];
  u64 *word = &b->bitmap[(pfn & 511) >> 6];
  u64 bit = 1ull << (pfn & 63);
  if (*word & bit) fail("free_frame: the frame is free");
  *word |= bit;
  b->free++;
  z->free_pages++;
  if (b->free == 1) list_push(&z->partial_blocks, b);
  if (b->free == PMD_PAGES) {
    list_remove(&z->partial_blocks, b);
    list_push(&z->free_blocks, b);
  }
}

// ── Memory cgroups: id 0 is none ───────────────────────────────────────────────────────────────────────────

struct memcg {
  u32 limit, usage;
};

static struct memcg memcgs[256];

static inline bool memcg_charge(u32 id) {
  if (!id) return true;
  if (memcgs[id].usage >= memcgs[id].limit) return false;
  memcgs[id].usage++;
  return true;
}

static inline void memcg_uncharge(u32 id) {
  if (id) memcgs[id].usage--;
}

/**
 * Drops a reference. The last one frees the page; a device page waits in its zone's queue for take_freed().
 */
static inline void put_page(u32 pfn) {
  struct folio *folio = folio_of(pfn);
  if (--folio->refs & FOLIO_COUNT_MASK) return;
  if (folio->flags & FOLIO_LOCKED || folio->maps & FOLIO_COUNT_MASK)
    fail("put_page: the page is locked or mapped");
  memcg_uncharge(folio->refs >> 24);
  *folio = (struct folio){.index = folio->index, .flags = FOLIO_FREE};
  if (pfn < device_base) {
    free_frame(pfn);
    return;
  }
  struct zone *z = &zones[blocks[pfn >> 9].zone];
  lru_remove(pfn);
  folio->index = 0;
  if (z->freed_tail) folio_of(z->freed_tail)->index = pfn;
  else z->freed_head = pfn;
  z->freed_tail = pfn;
  z->freed_count++;
}

static inline u32 take_freed(u32 zone) {
  struct zone *z = &zones[zone];
  u32 pfn = z->freed_head;
  if (!pfn) return 0;
  z->freed_head = folio_of(pfn)->index;
  if (!z->freed_head) z->freed_tail = 0;
  z->freed_count--;
  free_frame(pfn);
  return pfn;
}

#endif
