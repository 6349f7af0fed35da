// P4: demand-zero write faults. Leaf table by leaf table, each page charges and allocates a frame, zeroes it,
// accounts it and inserts its entry.
//
// populate BYTES FRAMES STREAM: a repetition faults in BYTES (measured) and unmaps them, twice. If STREAM is
// 1, pages are zeroed with non-temporal stores, in huge pages of the host.
#include "hmm.h"
#include "vectors.h"

#define START 0x7f0000000000ull
#define ANON_VMA 1

static u32 root;
static u32 memcg = 1;
static u64 pages;
static bool stream;
static struct {
  u32 rss, faults;
} mm;
static u64 anonymous_faults;

/** A write fault: gives an empty entry a private anonymous page that is zeroed, young and dirty. */
static inline void fault(u64 *entry, u64 address) {
  if (pte_present(*entry)) return;
  if (!memcg_charge(memcg)) fail("the memory cgroup is full");
  u32 pfn = alloc_frame(0);
  if (!pfn) fail("out of frames");
  if (stream) stream_zeros(frame_of(pfn));
  else memset(frame_of(pfn), 0, PAGE_SIZE);
  struct folio *folio = folio_of(pfn);
  u64 index = address >> PAGE_SHIFT;
  folio->refs |= memcg << 24;
  folio->maps = (u32)(index >> 32) << 24 | 1;
  folio->index = (u32)index;
  folio->mapping = ANON_VMA;
  folio->flags |= FOLIO_ANON | FOLIO_ANON_EXCLUSIVE | FOLIO_LRU;
  *entry = make_pte(pfn, PTE_PRESENT | PTE_WRITE | PTE_YOUNG | PTE_DIRTY);
  mm.rss++;
  mm.faults++;
  anonymous_faults++;
}

/** munmap: frees the pages, then the empty tables. */
static void unmap(void) {
  u64 end = START + (pages << PAGE_SHIFT);
  for (u64 address = START; address < end; address += PAGE_SIZE) {
    u64 *entry = walk(root, address);
    if (!entry || !*entry) continue;
    u32 pfn = pte_pfn(*entry);
    *entry = 0;
    folio_of(pfn)->maps--;
    put_page(pfn);
    mm.rss--;
  }
  for (u32 level = 1; level <= 3; level++) {
    u32 shift = PAGE_SHIFT + level * 9;
    for (u64 address = START >> shift << shift; address < end; address += 1ull << shift) {
      u32 at = root;
      for (u32 l = 3; l > level; l--) at = next_table(slot(at, address, PAGE_SHIFT + l * 9));
      u64 *entry = slot(at, address, shift);
      if (next_table(entry)) free_table(next_table(entry));
      *entry = 0;
    }
  }
}

/**
 * Hashes that every page is present and zero, the frame of each, and the accounting. Then dirties the pages.
 */
static void check(u32 *hash) {
  for (u64 i = 0; i < pages; i++) {
    u64 pte = *walk(root, START + (i << PAGE_SHIFT));
    u32 *bytes = (u32 *)frame_of(pte_pfn(pte));
    *hash = hash_word(*hash, pte_pfn(pte) | (pte_flags(pte) & (PTE_PRESENT | PTE_WRITE)));
    *hash = hash_word(*hash, bytes[0] | bytes[1023]);
    bytes[0] = bytes[1023] = (u32)i;
  }
  *hash = hash_word(hash_word(*hash, mm.rss), memcgs[memcg].usage);
}

static u64 once(u32 *hash) {
  u64 t = now();
  u64 end = START + (pages << PAGE_SHIFT);
  for (u64 address = START; address < end;) {
    u64 until = leaf_end(address, end);
    u64 *entry = walk_alloc(root, address);
    for (; address < until; address += PAGE_SIZE) fault(entry++, address);
  }
  if (stream) end_stream();
  t = now() - t;
  check(hash);
  unmap();
  return t;
}

/** Populates twice, because frames rise with addresses in one mapping, and fall in the next one. */
static u64 repeat(u32 *hash) {
  u64 sum = once(hash);
  return (sum + once(hash)) / 2;
}

int main(int argc, char **argv) {
  pages = number(argc, argv, 1) >> PAGE_SHIFT;
  stream = number(argc, argv, 3);
  if (stream) bytes_of_frames = huge_memory;
  init_frames((u32)number(argc, argv, 2), 0, true);
  memcgs[memcg].limit = UINT32_MAX;
  init_tables((u32)(pages / PMD_PAGES + 16));
  root = alloc_table(1, 3, 0);
  serve(repeat);
}
