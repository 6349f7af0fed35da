// P23: huge pages move to the device and back as one each, without their contents. The steps are those of
// assembly/core/migrate for a unit: collect, unmap, allocate, pages, finalize. As in the engine, a huge page
// has a folio of its own for each of its 512 frames, and 512 entries; each step goes over them in a loop.
//
// huge-migrate BYTES
#include "migrate.h"

#define START 0x7f0000000000ull
#define FOLIO_HEAD 0x0100
#define FOLIO_TAIL 0x0200
#define PTE_HUGE 0x10000000u

static size_t pages;

/** A migration of one huge page. */
struct unit {
  u64 *entries;
  u32 head, to;
  u32 zone; // where it goes
};

/** Makes a block's frames one folio, with one reference to each part. Returns the first pfn. */
static u32 alloc_large(u32 zone, u16 flags) {
  struct zone *z = &zones[zone];
  if (!z->free_blocks) fail("out of blocks");
  struct block *b = block_at(z->free_blocks);
  list_remove(&z->free_blocks, b);
  memset(b->bitmap, 0, sizeof b->bitmap);
  b->free = 0;
  z->free_pages -= PMD_PAGES;
  u32 head = (u32)(b - blocks) * PMD_PAGES;
  struct folio *folio = folio_of(head);
  for (u32 i = 0; i < PMD_PAGES; i++) {
    if (folio[i].flags != FOLIO_FREE) fail("alloc_large: a frame is in use");
    folio[i] = (struct folio){.refs = 1, .flags = (u16)(FOLIO_TAIL | flags)};
  }
  folio->flags = (u16)(FOLIO_HEAD | flags);
  return head;
}

/** Frees a folio whose parts all have one reference. */
static void free_large(u32 head) {
  struct folio *folio = folio_of(head);
  for (u32 i = 0; i < PMD_PAGES; i++) folio[i] = (struct folio){.flags = FOLIO_FREE};
  struct block *b = &blocks[head >> 9];
  struct zone *z = &zones[b->zone];
  memset(b->bitmap, 0xff, sizeof b->bitmap);
  b->free = PMD_PAGES;
  z->free_pages += PMD_PAGES;
  list_push(&z->free_blocks, b);
}

/** Locks the folio and replaces its entries by migration entries. */
static void collect_unit(struct unit *u, u64 address) {
  u64 *entries = walk(root, address);
  u32 head = pte_pfn(entries[0]);
  struct folio *folio = folio_of(head);
  u16 locked = 0;
  for (u32 i = 0; i < PMD_PAGES; i++) locked |= folio[i].flags;
  if (locked & FOLIO_LOCKED) fail("a part is locked");
  for (u32 i = 0; i < PMD_PAGES; i++) {
    u64 pte = entries[i];
    u32 flags = (pte_flags(pte) & (PTE_WRITE | PTE_YOUNG | PTE_DIRTY | PTE_HUGE)) | PTE_KIND_MIGRATION;
    u16 had = folio[i].flags;
    if (had & FOLIO_ANON_EXCLUSIVE) flags |= PTE_EXCLUSIVE;
    u16 dirty = pte_present(pte) && flags & PTE_DIRTY ? FOLIO_DIRTY : 0;
    folio[i].flags = (u16)((had & ~FOLIO_ANON_EXCLUSIVE) | FOLIO_LOCKED | dirty);
    folio[i].maps--;
    entries[i] = make_pte(head + i, flags);
  }
  *u = (struct unit){.entries = entries, .head = head, .zone = is_device(head) ? SYSTEM : DEVICE};
}

/** Isolates the folio, and checks that nothing else maps or pins a part. */
static void unmap_unit(const struct unit *u) {
  struct folio *folio = folio_of(u->head);
  u32 explained = 1 + is_device(u->head);
  bool other = false;
  for (u32 i = 0; i < PMD_PAGES; i++) {
    folio[i].flags &= (u16)~FOLIO_LRU;
    other |= (folio[i].maps & FOLIO_COUNT_MASK) || (folio[i].refs & FOLIO_COUNT_MASK) > explained;
  }
  if (other) fail("a huge page cannot move");
}

/** Moves what is known of each part to its destination. */
static void move_unit(const struct unit *u) {
  struct folio *from = folio_of(u->head), *to = folio_of(u->to);
  bool referenced = false;
  for (u32 i = 0; i < PMD_PAGES; i++) referenced |= (from[i].refs & FOLIO_COUNT_MASK) != 1;
  if (referenced) fail("a part is referenced");
  for (u32 i = 0; i < PMD_PAGES; i++) {
    to[i].mapping = from[i].mapping;
    to[i].index = from[i].index;
    to[i].maps = (to[i].maps & FOLIO_COUNT_MASK) | (from[i].maps & ~FOLIO_COUNT_MASK);
    to[i].flags |= from[i].flags & (FOLIO_ANON | FOLIO_DIRTY);
    to[i].refs = (to[i].refs & FOLIO_COUNT_MASK) | (from[i].refs & ~FOLIO_COUNT_MASK);
    from[i].refs &= FOLIO_COUNT_MASK;
  }
  if (u->zone == DEVICE) moved_to_device += PMD_PAGES;
  else moved_to_system += PMD_PAGES;
}

/** The entries name the destination. Its references become theirs, and the source is freed. */
static void finalize_unit(const struct unit *u) {
  struct folio *to = folio_of(u->to);
  bool device = u->zone == DEVICE;
  u16 listed = device ? 0 : FOLIO_LRU;
  u32 kind = device ? PTE_KIND_DEVICE : PTE_PRESENT;
  for (u32 i = 0; i < PMD_PAGES; i++) {
    u32 kept = pte_flags(u->entries[i]);
    if (u->entries[i] != make_pte(u->head + i, kept) || (kept & PTE_KIND_MASK) != PTE_KIND_MIGRATION)
      fail("an entry has changed");
    u16 flags = (u16)((to[i].flags & ~FOLIO_LOCKED) | listed);
    if (kept & (PTE_WRITE | PTE_EXCLUSIVE)) flags |= FOLIO_ANON_EXCLUSIVE;
    u32 access = device ? 0 : (kept & PTE_YOUNG) | (flags & FOLIO_DIRTY ? kept & PTE_DIRTY : 0);
    to[i].flags = flags;
    to[i].maps++;
    u->entries[i] = make_pte(u->to + i, (kept & (PTE_WRITE | PTE_HUGE)) | kind | access);
  }
  free_large(u->head);
}

static void migrate_all(void) {
  for (size_t i = 0; i < pages; i += PMD_PAGES) {
    struct unit u;
    collect_unit(&u, START + ((u64)i << PAGE_SHIFT));
    unmap_unit(&u);
    u.to = alloc_large(u.zone, FOLIO_LOCKED);
    move_unit(&u);
    finalize_unit(&u);
  }
}

static u64 repeat(u32 *hash) {
  u64 t = now();
  migrate_all();
  migrate_all();
  t = now() - t;
  u32 sum = 0;
  for (size_t i = 0; i < pages; i++) {
    u64 pte = *walk(root, START + ((u64)i << PAGE_SHIFT));
    *hash = hash_word(*hash, pte_flags(pte) & (PTE_PRESENT | PTE_WRITE | PTE_HUGE));
    sum += pte_pfn(pte);
  }
  *hash = hash_word(hash_word(*hash, sum), mm.rss);
  return t;
}

int main(int argc, char **argv) {
  if (argc != 2) fail("huge-migrate BYTES");
  pages = number(argc, argv, 1) >> PAGE_SHIFT;
  // As much memory as bench/rows/huge-migration.ts gives the engine.
  init_frames((u32)pages + 4 * PMD_PAGES, (u32)pages + PMD_PAGES, false);
  init_tables((u32)(pages / PMD_PAGES + 16));
  root = alloc_table(1, 3, 0);
  for (size_t i = 0; i < pages; i += PMD_PAGES) {
    u64 address = START + ((u64)i << PAGE_SHIFT);
    u32 head = alloc_large(SYSTEM, FOLIO_LRU);
    u64 *entries = walk_alloc(root, address);
    for (u32 j = 0; j < PMD_PAGES; j++) {
      new_anon(head + j, address + ((u64)j << PAGE_SHIFT));
      entries[j] = make_pte(head + j, PTE_PRESENT | PTE_WRITE | PTE_YOUNG | PTE_DIRTY | PTE_HUGE);
    }
  }
  serve(repeat);
}
