// A migration in C with the steps of assembly/core/migrate: collect, unmap, allocate, copy, pages, finalize.
// There is one address space, and its pages are anonymous and mapped once.
#ifndef MIGRATE_H
#define MIGRATE_H

#include "hmm.h"

#define BATCH 512u
#define ANON_VMA 1
#define SYSTEM 0u // zones
#define DEVICE 1u
#define ZERO_PFN 1u

static u32 root;
static struct {
  u32 rss;
} mm;
static u64 moved_to_device, moved_to_system;

struct migration {
  u64 start;
  u32 npages;
  u32 src[BATCH], dst[BATCH];
};

static inline bool is_device(u32 pfn) { return pfn >= device_base; }
static inline u64 page_address(const struct migration *m, u32 i) { return m->start + ((u64)i << PAGE_SHIFT); }

/** Returns whether this slot moves an existing page (rather than filling a hole). */
static inline bool has_source(const struct migration *m, u32 i) {
  return (m->src[i] & (MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE)) == (MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE);
}

/** Makes a frame with one reference the anonymous page of address. The caller writes the entry. */
static inline void new_anon(u32 pfn, u64 address) {
  struct folio *folio = folio_of(pfn);
  u64 index = address >> PAGE_SHIFT;
  folio->maps = (u32)(index >> 32) << 24 | 1;
  folio->index = (u32)index;
  folio->mapping = ANON_VMA;
  folio->flags |= FOLIO_ANON | FOLIO_ANON_EXCLUSIVE | (is_device(pfn) ? 0 : FOLIO_LRU);
  mm.rss++;
}

/** Returns whether this entry's page lies in the zone that the migration takes pages from. */
static inline bool selected(u64 pte, u32 zone) {
  if (pte_present(pte)) return zone == SYSTEM && !(pte_flags(pte) & PTE_SPECIAL);
  return zone == DEVICE && pte_kind(pte) == PTE_KIND_DEVICE;
}

/**
 * Locks the page and replaces its entry by a migration entry. The mapping's reference becomes the
 * migration's.
 */
static inline u32 collect_entry(u64 *entry, u32 zone) {
  u64 pte = *entry;
  if (!pte) return MIGRATE_PFN_MIGRATE;
  if (!selected(pte, zone)) return zone == SYSTEM && pte_present(pte) ? MIGRATE_PFN_MIGRATE : 0;
  u32 pfn = pte_pfn(pte);
  struct folio *folio = folio_of(pfn);
  if (folio->flags & FOLIO_LOCKED) return 0;
  u32 flags = (pte_flags(pte) & (PTE_WRITE | PTE_YOUNG | PTE_DIRTY)) | PTE_KIND_MIGRATION;
  if (folio->flags & FOLIO_ANON_EXCLUSIVE) flags |= PTE_EXCLUSIVE;
  // From here on the entry keeps the exclusive bit.
  folio->flags = (u16)((folio->flags & ~FOLIO_ANON_EXCLUSIVE) | FOLIO_LOCKED);
  if (pte_present(pte) && flags & PTE_DIRTY) folio->flags |= FOLIO_DIRTY;
  folio->maps--;
  *entry = make_pte(pfn, flags);
  return MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE | pfn | (flags & PTE_WRITE ? MIGRATE_PFN_WRITE : 0);
}

static inline void collect(struct migration *m, u32 zone) {
  u64 address = m->start, end = m->start + ((u64)m->npages << PAGE_SHIFT);
  for (u32 i = 0; address < end;) {
    u64 until = leaf_end(address, end);
    u64 *entry = walk(root, address);
    for (; address < until; address += PAGE_SIZE, i++)
      m->src[i] = entry ? collect_entry(entry++, zone) : MIGRATE_PFN_MIGRATE;
  }
}

/** Isolates the pages, and checks that nothing else maps or pins them. */
static inline void unmap(struct migration *m) {
  for (u32 i = 0; i < m->npages; i++) {
    if (!(m->src[i] & MIGRATE_PFN_VALID)) continue;
    u32 pfn = m->src[i] & PFN_MASK;
    struct folio *folio = folio_of(pfn);
    folio->flags &= (u16)~FOLIO_LRU;
    u32 explained = 1 + is_device(pfn);
    if (folio->maps & FOLIO_COUNT_MASK || (folio->refs & FOLIO_COUNT_MASK) > explained)
      fail("a page cannot move");
  }
}

/**
 * The driver's part: allocates a locked page of the zone for each candidate. Holes get pages on the device
 * only.
 */
static inline void allocate(struct migration *m, u32 zone) {
  if (zone == DEVICE)
    while (take_freed(DEVICE)) continue;
  for (u32 i = 0; i < m->npages; i++) {
    m->dst[i] = 0;
    if (zone == DEVICE ? !(m->src[i] & MIGRATE_PFN_MIGRATE) : !has_source(m, i)) continue;
    u32 pfn = alloc_frame(zone);
    if (!pfn) fail("out of frames");
    folio_of(pfn)->flags |= FOLIO_LOCKED;
    m->dst[i] = MIGRATE_PFN_VALID | pfn;
  }
}

/** The driver's part: copies the contents, or zeroes the page that fills a hole. */
static inline void copy_pages(const struct migration *m) {
  for (u32 i = 0; i < m->npages; i++) {
    if (!(m->dst[i] & MIGRATE_PFN_VALID)) continue;
    u8 *to = frame_of(m->dst[i] & PFN_MASK);
    if (has_source(m, i)) memcpy(to, frame_of(m->src[i] & PFN_MASK), PAGE_SIZE);
    else memset(to, 0, PAGE_SIZE);
  }
}

/** Maps a new page where there was none or the zero page. */
static void fill_hole(const struct migration *m, u32 i, u32 pfn) {
  u64 *entry = walk_alloc(root, page_address(m, i));
  folio_of(pfn)->refs++;
  new_anon(pfn, page_address(m, i));
  u32 flags = is_device(pfn) ? PTE_KIND_DEVICE : PTE_PRESENT | PTE_YOUNG | PTE_DIRTY;
  *entry = make_pte(pfn, flags | PTE_WRITE);
  if (is_device(pfn)) lru_touch(pfn);
}

/** Moves each page's metadata to its destination, which becomes the page. */
static inline void move_pages(struct migration *m) {
  for (u32 i = 0; i < m->npages; i++) {
    if (!(m->src[i] & MIGRATE_PFN_MIGRATE) || !(m->dst[i] & MIGRATE_PFN_VALID)) continue;
    u32 to_pfn = m->dst[i] & PFN_MASK;
    if (!(m->src[i] & MIGRATE_PFN_VALID)) {
      fill_hole(m, i, to_pfn);
      continue;
    }
    struct folio *from = folio_of(m->src[i] & PFN_MASK), *to = folio_of(to_pfn);
    if (!(to->flags & FOLIO_LOCKED) || to->maps & FOLIO_COUNT_MASK) fail("not a destination");
    if ((from->refs & FOLIO_COUNT_MASK) != 1) fail("the page is referenced");
    to->mapping = from->mapping;
    to->index = from->index;
    to->maps = (to->maps & FOLIO_COUNT_MASK) | (from->maps & ~FOLIO_COUNT_MASK);
    to->flags |= from->flags & (FOLIO_ANON | FOLIO_DIRTY);
    to->refs = (to->refs & FOLIO_COUNT_MASK) | (from->refs & ~FOLIO_COUNT_MASK);
    from->refs &= FOLIO_COUNT_MASK;
    if (is_device(to_pfn)) {
      lru_touch(to_pfn);
      moved_to_device++;
    } else {
      moved_to_system++;
    }
  }
}

/** Turns a migration entry back into an entry of `pfn`, with the flags that the migration entry kept. */
static inline void restore_entry(u64 *entry, u32 pfn) {
  struct folio *folio = folio_of(pfn);
  u32 kept = pte_flags(*entry), flags = kept & PTE_WRITE;
  if (kept & (PTE_WRITE | PTE_EXCLUSIVE)) folio->flags |= FOLIO_ANON_EXCLUSIVE;
  if (is_device(pfn)) flags |= PTE_KIND_DEVICE;
  else flags |= PTE_PRESENT | (kept & PTE_YOUNG) | (folio->flags & FOLIO_DIRTY ? kept & PTE_DIRTY : 0);
  *entry = make_pte(pfn, flags);
  folio->maps++;
  folio->refs++;
}

static inline void unlock_source(u32 pfn) {
  struct folio *folio = folio_of(pfn);
  folio->flags &= (u16)~FOLIO_LOCKED;
  if (!is_device(pfn)) folio->flags |= FOLIO_LRU;
  put_page(pfn);
}

static inline void finalize(struct migration *m) {
  for (u32 i = 0; i < m->npages; i++) {
    u32 to = m->dst[i] & MIGRATE_PFN_VALID ? m->dst[i] & PFN_MASK : 0;
    if (m->src[i] & MIGRATE_PFN_VALID) {
      u32 pfn = m->src[i] & PFN_MASK;
      u64 *entry = walk(root, page_address(m, i));
      if (entry && pte_kind(*entry) == PTE_KIND_MIGRATION && pte_pfn(*entry) == pfn)
        restore_entry(entry, m->src[i] & MIGRATE_PFN_MIGRATE ? to : pfn);
      unlock_source(pfn);
    }
    if (to) {
      struct folio *folio = folio_of(to);
      folio->flags &= (u16)~FOLIO_LOCKED;
      if (!is_device(to) && folio->maps & FOLIO_COUNT_MASK) folio->flags |= FOLIO_LRU;
      put_page(to);
    }
  }
}

/**
 * Updates a device's table before finalize(): adds the pages that moved in, and clears the pages that moved
 * out.
 */
static inline void map_migrated(u32 device_root, const struct migration *m) {
  for (u32 i = 0; i < m->npages; i++) {
    if (!(m->src[i] & MIGRATE_PFN_MIGRATE)) continue;
    u32 to = m->dst[i] & PFN_MASK;
    if (is_device(to)) {
      bool hole = !(m->src[i] & MIGRATE_PFN_VALID);
      u32 write = hole || m->src[i] & MIGRATE_PFN_WRITE ? PTE_WRITE : 0;
      *walk_alloc(device_root, page_address(m, i)) = make_pte(to, PTE_PRESENT | write);
    } else {
      u64 *entry = walk(device_root, page_address(m, i));
      if (entry) *entry = 0;
    }
  }
}

#endif
