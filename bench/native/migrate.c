// P3: a migration's round trip, to the device and back.
//
// migrate memcpy FRAMES COPIES: the copies alone. There are FRAMES frames of 4 KiB; COPIES holds pairs of u32
// (from, to), first all pages to the device, then all of them back, in the order of their addresses.
//
// migrate stream FRAMES COPIES: the same with non-temporal stores, in huge pages of the host.
//
// migrate metadata BYTES: everything except the copies: collect, unmap, allocate, pages, finalize, 512 pages
// at a time.
//
// migrate runs BYTES: the same for usual pages alone, whose frames are taken and freed by bitmap words.
#include "runs.h"
#include "vectors.h"

static size_t pages;

// ── memcpy ─────────────────────────────────────────────────────────────────────────────────────────────────

#define WORDS 16u // words of each page that a repetition fills and hashes

static u32 *copies;

static inline u32 *word_of(u32 frame, u32 i) { return (u32 *)(frame_of(frame) + i * (PAGE_SIZE / WORDS)); }

static void copy_all(void) {
  for (size_t i = 0; i < 2 * pages; i++)
    memcpy(frame_of(copies[2 * i + 1]), frame_of(copies[2 * i]), PAGE_SIZE);
}

static void stream_all(void) {
  for (size_t i = 0; i < 2 * pages; i++) stream_page(frame_of(copies[2 * i + 1]), frame_of(copies[2 * i]));
  end_stream();
}

static u64 repeat_copies(u32 *hash, void (*copy)(void)) {
  static u32 stamp;
  stamp++;
  for (size_t i = 0; i < pages; i++)
    for (u32 j = 0; j < WORDS; j++) *word_of(copies[2 * i], j) = (u32)i * WORDS + j + stamp;
  u64 t = now();
  copy();
  t = now() - t;
  for (size_t i = pages; i < 2 * pages; i++)
    for (u32 j = 0; j < WORDS; j++) *hash = hash_word(*hash, *word_of(copies[2 * i + 1], j) - stamp);
  return t;
}

static u64 repeat_memcpy(u32 *hash) { return repeat_copies(hash, copy_all); }
static u64 repeat_stream(u32 *hash) { return repeat_copies(hash, stream_all); }

static void setup_copies(u64 count, const char *path, bool huge) {
  frames = (huge ? huge_memory : memory)(count * PAGE_SIZE);
  size_t bytes;
  copies = read_file(path, &bytes);
  pages = bytes / 16;
}

// ── metadata ───────────────────────────────────────────────────────────────────────────────────────────────

#define START 0x7f0000000000ull

static bool by_runs;

static void migrate(u64 start, u32 npages, u32 from, u32 to) {
  static struct migration m;
  m.start = start;
  m.npages = npages;
  if (by_runs) {
    collect_runs(&m, from);
    allocate_runs(&m, to);
    move_runs(&m);
    finalize_runs(&m);
    return;
  }
  collect(&m, from);
  unmap(&m);
  allocate(&m, to);
  move_pages(&m);
  finalize(&m);
}

static void migrate_all(u32 from, u32 to) {
  for (size_t i = 0; i < pages; i += BATCH)
    migrate(START + ((u64)i << PAGE_SHIFT), (u32)min_u64(BATCH, pages - i), from, to);
}

/** Hashes the frame and the flags of each page. */
static void hash_placement(u32 *hash) {
  for (size_t i = 0; i < pages; i++) {
    u64 pte = *walk(root, START + ((u64)i << PAGE_SHIFT));
    *hash = hash_word(*hash, pte_pfn(pte) | (pte_flags(pte) & (PTE_PRESENT | PTE_WRITE)));
  }
}

/** Two round trips, after which every frame has the page again that it had before. */
static u64 repeat_metadata(u32 *hash) {
  u64 sum = 0;
  for (u32 way = 0; way < 4; way++) {
    u64 t = now();
    migrate_all(way % 2 ? DEVICE : SYSTEM, way % 2 ? SYSTEM : DEVICE);
    sum += now() - t;
    hash_placement(hash);
  }
  *hash = hash_word(*hash, mm.rss);
  return sum / 2;
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
    *folio_of(pfn) =
        (struct folio){.refs = 1, .maps = maps, .index = (u32)index, .mapping = ANON_VMA, .flags = flags};
    *walk_alloc(root, address) = make_pte(pfn, PTE_PRESENT | PTE_WRITE | PTE_YOUNG | PTE_DIRTY);
    mm.rss++;
  }
}

int main(int argc, char **argv) {
  if (argc == 4) {
    bool stream = !strcmp(argv[1], "stream");
    setup_copies(number(argc, argv, 2), argv[3], stream);
    serve(stream ? repeat_stream : repeat_memcpy);
  } else if (argc == 3) {
    by_runs = !strcmp(argv[1], "runs");
    setup_metadata(number(argc, argv, 2));
    serve(repeat_metadata);
  } else {
    fail("migrate memcpy|stream FRAMES COPIES, or migrate metadata|runs BYTES");
  }
}
