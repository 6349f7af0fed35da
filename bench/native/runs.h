// Runs of neighboring frames: allocated and freed a bitmap word at a time, in the order in which
// alloc_frame() and free_frame() take and return single frames.
#ifndef RUNS_H
#define RUNS_H

#include "migrate.h"

/** Returns the bits of `n` frames from bit `first` of a word on; n is 1 to 64. */
static inline u64 run_bits(u32 first, u32 n) { return (n == 64 ? ~0ull : (1ull << n) - 1) << first; }

/**
 * Takes at most `max` neighboring frames. Stores the first one's pfn and returns their number; 0 if the zone
 * is empty. The caller writes their folios.
 */
static inline u32 alloc_run(u32 zone, u32 max, u32 *first) {
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
  u32 low = (u32)__builtin_ctzll(bits);
  u64 above = ~(bits >> low);
  u32 n = above ? (u32)__builtin_ctzll(above) : 64;
  if (n > max) n = max;
  b->bitmap[word] = bits & ~run_bits(low, n);
  b->free = (u16)(b->free - n);
  if (!b->free) list_remove(&z->partial_blocks, b);
  z->free_pages -= n;
  *first = (u32)(b - blocks) * PMD_PAGES + word * 64 + low;
  return n;
}

/** Frees frames of one bitmap word. */
static inline void free_bits(u32 group, u64 bits) {
  struct block *b = &blocks[group >> 3];
  struct zone *z = &zones[b->zone];
  u64 *word = &b->bitmap[group & 7];
  if (*word & bits) fail("free_bits: a frame is free");
  u32 n = (u32)__builtin_popcountll(bits);
  *word |= bits;
  z->free_pages += n;
  if (!b->free) list_push(&z->partial_blocks, b);
  b->free = (u16)(b->free + n);
  if (b->free == PMD_PAGES) {
    list_remove(&z->partial_blocks, b);
    list_push(&z->free_blocks, b);
  }
}

/** Frames that wait to be freed together: those of one bitmap word. */
struct freeing {
  u32 group;
  u64 bits;
};

static inline void flush_freeing(struct freeing *f) {
  if (f->bits) free_bits(f->group, f->bits);
  f->bits = 0;
}

static inline void free_later(struct freeing *f, u32 pfn) {
  if (unlikely(pfn >> 6 != f->group)) {
    flush_freeing(f);
    f->group = pfn >> 6;
  }
  f->bits |= 1ull << (pfn & 63);
}

// ── A migration of usual pages: anonymous, writable, mapped once, with no other reference ──────────────────

/** As collect() and unmap(), in one pass. Fails if a page is not usual. */
static inline void collect_runs(struct migration *m, u32 zone) {
  const u32 mask = PTE_PRESENT | PTE_WRITE | (zone == SYSTEM ? PTE_SPECIAL : PTE_KIND_MASK);
  const u32 usual = zone == SYSTEM ? PTE_PRESENT | PTE_WRITE : PTE_WRITE | PTE_KIND_DEVICE;
  u64 address = m->start, end = m->start + ((u64)m->npages << PAGE_SHIFT);
  u32 odd = 0;
  for (u32 i = 0; address < end;) {
    u64 until = leaf_end(address, end);
    u64 *entry = walk(root, address);
    if (!entry) fail("a page is missing");
    for (; address < until; address += PAGE_SIZE, i++, entry++) {
      u32 flags = pte_flags(*entry), pfn = pte_pfn(*entry);
      struct folio *folio = folio_of(pfn);
      odd |= (flags & mask) ^ usual;
      odd |= (folio->flags & (FOLIO_LOCKED | FOLIO_ANON_EXCLUSIVE)) ^ FOLIO_ANON_EXCLUSIVE;
      odd |= ((folio->maps & FOLIO_COUNT_MASK) ^ 1) | ((folio->refs & FOLIO_COUNT_MASK) ^ 1);
      folio->maps--;
      u32 dirty = zone == SYSTEM && flags & PTE_DIRTY ? FOLIO_DIRTY : 0;
      folio->flags = (u16)((folio->flags & ~(FOLIO_ANON_EXCLUSIVE | FOLIO_LRU)) | FOLIO_LOCKED | dirty);
      u32 kept = flags & (PTE_WRITE | PTE_YOUNG | PTE_DIRTY);
      *entry = make_pte(pfn, kept | PTE_KIND_MIGRATION | PTE_EXCLUSIVE);
      m->src[i] = MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE | MIGRATE_PFN_WRITE | pfn;
    }
  }
  if (odd) fail("a page is not usual");
}

/** As allocate(), run by run. */
static inline void allocate_runs(struct migration *m, u32 zone) {
  for (u32 i = 0; i < m->npages;) {
    u32 first, n = alloc_run(zone, m->npages - i, &first);
    if (!n) fail("out of frames");
    struct folio *folio = folio_of(first);
    for (u32 j = 0; j < n; j++) {
      folio[j] = (struct folio){.refs = 1, .index = folio[j].index, .flags = FOLIO_LOCKED};
      m->dst[i + j] = MIGRATE_PFN_VALID | (first + j);
    }
    i += n;
  }
}

/** As move_pages(). */
static inline void move_runs(struct migration *m) {
  u32 odd = 0;
  for (u32 i = 0; i < m->npages; i++) {
    struct folio *from = folio_of(m->src[i] & PFN_MASK), *to = folio_of(m->dst[i] & PFN_MASK);
    odd |= (~to->flags & FOLIO_LOCKED) | (to->maps & FOLIO_COUNT_MASK);
    odd |= (from->refs & FOLIO_COUNT_MASK) ^ 1;
    to->mapping = from->mapping;
    to->index = from->index;
    to->maps |= from->maps & ~FOLIO_COUNT_MASK;
    to->flags |= from->flags & (FOLIO_ANON | FOLIO_DIRTY);
    to->refs |= from->refs & ~FOLIO_COUNT_MASK;
    from->refs &= FOLIO_COUNT_MASK;
  }
  if (odd) fail("a page cannot move");
  if (is_device(m->dst[0] & PFN_MASK)) moved_to_device += m->npages;
  else moved_to_system += m->npages;
}

/** As finalize(): from entry to entry, and the sources go back to their zone by bitmap words. */
static inline void finalize_runs(struct migration *m) {
  bool device = is_device(m->dst[0] & PFN_MASK);
  u16 lru = device ? 0 : FOLIO_LRU;
  struct freeing freeing = {0, 0};
  u64 address = m->start, end = m->start + ((u64)m->npages << PAGE_SHIFT);
  for (u32 i = 0; address < end;) {
    u64 until = leaf_end(address, end);
    u64 *entry = walk(root, address);
    for (; address < until; address += PAGE_SIZE, i++, entry++) {
      u32 pfn = m->src[i] & PFN_MASK, to_pfn = m->dst[i] & PFN_MASK, kept = pte_flags(*entry);
      if (pte_kind(*entry) != PTE_KIND_MIGRATION || pte_pfn(*entry) != pfn) fail("the entry has changed");
      struct folio *from = folio_of(pfn), *to = folio_of(to_pfn);
      u32 dirty = to->flags & FOLIO_DIRTY ? kept & PTE_DIRTY : 0;
      u32 flags = device ? PTE_KIND_DEVICE : PTE_PRESENT | (kept & PTE_YOUNG) | dirty;
      *entry = make_pte(to_pfn, flags | (kept & PTE_WRITE));
      to->maps++;
      to->flags = (u16)((to->flags & ~FOLIO_LOCKED) | FOLIO_ANON_EXCLUSIVE | lru);
      memcg_uncharge(from->refs >> 24);
      *from = (struct folio){.index = from->index, .flags = FOLIO_FREE};
      free_later(&freeing, pfn);
    }
  }
  flush_freeing(&freeing);
}

#endif
