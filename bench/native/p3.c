// P3: a migration's round trip, to the device and back.
//
// p3 memcpy FRAMES COPIES: nothing but the copies. FRAMES 4 KiB frames; COPIES holds pairs of u32 (from, to), first all
// pages to the device, then all of them back, in the order of their addresses.
//
// p3 metadata BYTES: everything but the copies: collect, unmap, allocate, pages, finalise, 512 pages at a time.
#include "hmm.h"

static size_t pages;

// ── memcpy ───────────────────────────────────────────────────────────────────────────────────────────────────

#define WORDS 16u // words of a page that are filled and hashed

static u32 *copies;

static inline u32 *word_of(u32 frame, u32 i) { return (u32 *)(frame_of(frame) + i * (PAGE_SIZE / WORDS)); }

static u64 repeat_memcpy(u32 *hash) {
  static u32 stamp;
  stamp++;
  for (size_t i = 0; i < pages; i++)
    for (u32 j = 0; j < WORDS; j++) *word_of(copies[2 * i], j) = (u32)i * WORDS + j + stamp;
  u64 t = now();
  for (size_t i = 0; i < 2 * pages; i++) memcpy(frame_of(copies[2 * i + 1]), frame_of(copies[2 * i]), PAGE_SIZE);
  t = now() - t;
  for (size_t i = pages; i < 2 * pages; i++)
    for (u32 j = 0; j < WORDS; j++) *hash = hash_word(*hash, *word_of(copies[2 * i + 1], j) - stamp);
  return t;
}

static void setup_memcpy(u64 count, const char *path) {
  frames = memory(count * PAGE_SIZE);
  size_t bytes;
  copies = read_file(path, &bytes);
  pages = bytes / 16;
}

// ── metadata ─────────────────────────────────────────────────────────────────────────────────────────────────

#define START 0x7f0000000000ull
#define BATCH 512u
#define ANON_VMA 1
#define SYSTEM 0u // zones
#define DEVICE 1u

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

/** Is this entry's page in the zone that is to be emptied? */
static inline bool selected(u64 pte, u32 zone) {
  if (pte_present(pte)) return zone == SYSTEM && !(pte_flags(pte) & PTE_SPECIAL);
  return zone == DEVICE && pte_kind(pte) == PTE_KIND_DEVICE;
}

/** Locks the page and puts a migration entry in its place; the mapping's reference becomes the migration's. */
static inline u32 collect_entry(u64 *entry, u32 zone) {
  u64 pte = *entry;
  if (!pte) return MIGRATE_PFN_MIGRATE;
  if (!selected(pte, zone)) return 0;
  u32 pfn = pte_pfn(pte);
  struct folio *folio = folio_of(pfn);
  if (folio->flags & FOLIO_LOCKED) return 0;
  u32 flags = (pte_flags(pte) & (PTE_WRITE | PTE_YOUNG | PTE_DIRTY)) | PTE_KIND_MIGRATION;
  if (folio->flags & FOLIO_ANON_EXCLUSIVE) flags |= PTE_EXCLUSIVE;
  folio->flags = (u16)((folio->flags & ~FOLIO_ANON_EXCLUSIVE) | FOLIO_LOCKED); // the entry knows from here on
  if (pte_present(pte) && flags & PTE_DIRTY) folio->flags |= FOLIO_DIRTY;
  folio->maps--;
  *entry = make_pte(pfn, flags);
  return MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE | pfn | (flags & PTE_WRITE ? MIGRATE_PFN_WRITE : 0);
}

static void collect(struct migration *m, u32 zone) {
  u64 address = m->start, end = m->start + ((u64)m->npages << PAGE_SHIFT);
  for (u32 i = 0; address < end;) {
    u64 until = leaf_end(address, end);
    u64 *entry = walk(root, address);
    for (; address < until; address += PAGE_SIZE, i++) m->src[i] = entry ? collect_entry(entry++, zone) : MIGRATE_PFN_MIGRATE;
  }
}

/** Isolates the pages, and gives back those that somebody else maps or has pinned. */
static void unmap(struct migration *m) {
  for (u32 i = 0; i < m->npages; i++) {
    if (!(m->src[i] & MIGRATE_PFN_VALID)) continue;
    u32 pfn = m->src[i] & PFN_MASK;
    struct folio *folio = folio_of(pfn);
    folio->flags &= (u16)~FOLIO_LRU;
    u32 explained = 1 + is_device(pfn);
    if (folio->maps & FOLIO_COUNT_MASK || (folio->refs & FOLIO_COUNT_MASK) > explained) fail("a page cannot move");
  }
}

/** The driver's part: a locked page of the zone for each candidate. */
static void allocate(struct migration *m, u32 zone) {
  if (zone == DEVICE)
    while (take_freed(DEVICE)) continue;
  for (u32 i = 0; i < m->npages; i++) {
    m->dst[i] = 0;
    if ((m->src[i] & (MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE)) != (MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE)) continue;
    u32 pfn = alloc_frame(zone);
    if (!pfn) fail("out of frames");
    folio_of(pfn)->flags |= FOLIO_LOCKED;
    m->dst[i] = MIGRATE_PFN_VALID | pfn;
  }
}

/** The destination becomes the page. */
static void move_pages(struct migration *m) {
  for (u32 i = 0; i < m->npages; i++) {
    if (!(m->src[i] & MIGRATE_PFN_MIGRATE) || !(m->dst[i] & MIGRATE_PFN_VALID)) continue;
    u32 to_pfn = m->dst[i] & PFN_MASK;
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

/** The entry names a page again; what the migration entry kept comes back. */
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

static inline void let_go(u32 pfn) {
  struct folio *folio = folio_of(pfn);
  folio->flags &= (u16)~FOLIO_LOCKED;
  if (!is_device(pfn)) folio->flags |= FOLIO_LRU;
  put_page(pfn);
}

static void finalise(struct migration *m) {
  for (u32 i = 0; i < m->npages; i++) {
    u32 to = m->dst[i] & MIGRATE_PFN_VALID ? m->dst[i] & PFN_MASK : 0;
    if (m->src[i] & MIGRATE_PFN_VALID) {
      u32 pfn = m->src[i] & PFN_MASK;
      u64 *entry = walk(root, page_address(m, i));
      if (entry && pte_kind(*entry) == PTE_KIND_MIGRATION && pte_pfn(*entry) == pfn)
        restore_entry(entry, m->src[i] & MIGRATE_PFN_MIGRATE ? to : pfn);
      let_go(pfn);
    }
    if (to) {
      struct folio *folio = folio_of(to);
      folio->flags &= (u16)~FOLIO_LOCKED;
      if (!is_device(to) && folio->maps & FOLIO_COUNT_MASK) folio->flags |= FOLIO_LRU;
      put_page(to);
    }
  }
}

static void migrate(u64 start, u32 npages, u32 from, u32 to) {
  static struct migration m;
  m.start = start;
  m.npages = npages;
  collect(&m, from);
  unmap(&m);
  allocate(&m, to);
  move_pages(&m);
  finalise(&m);
}

static void migrate_all(u32 from, u32 to) {
  for (size_t i = 0; i < pages; i += BATCH)
    migrate(START + ((u64)i << PAGE_SHIFT), (u32)min_u64(BATCH, pages - i), from, to);
}

static u64 repeat_metadata(u32 *hash) {
  u64 t = now();
  migrate_all(SYSTEM, DEVICE);
  migrate_all(DEVICE, SYSTEM);
  t = now() - t;
  u32 sum = 0;
  for (size_t i = 0; i < pages; i++) {
    u64 pte = *walk(root, START + ((u64)i << PAGE_SHIFT));
    *hash = hash_word(*hash, pte_flags(pte) & (PTE_PRESENT | PTE_WRITE));
    sum += pte_pfn(pte);
  }
  *hash = hash_word(hash_word(*hash, sum), mm.rss);
  return t;
}

static void setup_metadata(u64 bytes) {
  pages = bytes >> PAGE_SHIFT;
  init_frames((u32)pages, (u32)pages, false);
  init_tables((u32)(pages / PMD_PAGES + 16));
  root = alloc_table(1, 3, 0);
  for (size_t i = 0; i < pages; i++) {
    u64 address = START + ((u64)i << PAGE_SHIFT);
    u32 pfn = alloc_frame(SYSTEM);
    u64 index = address >> PAGE_SHIFT;
    u32 maps = (u32)(index >> 32) << 24 | 1;
    u16 flags = FOLIO_ANON | FOLIO_ANON_EXCLUSIVE | FOLIO_LRU;
    *folio_of(pfn) = (struct folio){.refs = 1, .maps = maps, .index = (u32)index, .mapping = ANON_VMA, .flags = flags};
    *walk_alloc(root, address) = make_pte(pfn, PTE_PRESENT | PTE_WRITE | PTE_YOUNG | PTE_DIRTY);
    mm.rss++;
  }
}

int main(int argc, char **argv) {
  if (argc == 4 && !strcmp(argv[1], "memcpy")) {
    setup_memcpy(number(argc, argv, 2), argv[3]);
    serve(repeat_memcpy);
  } else if (argc == 3 && !strcmp(argv[1], "metadata")) {
    setup_metadata(number(argc, argv, 2));
    serve(repeat_metadata);
  } else {
    fail("p3 memcpy FRAMES COPIES | p3 metadata BYTES");
  }
}
