// P5: forks a populated mapping, then takes a write fault on every page in the child, which copies it.
//
// fork BYTES STREAM: both steps are measured. Afterwards the child exits, and the parent's write faults
// restore its write bits. If STREAM is 1, pages are copied with non-temporal stores, in huge pages of the
// host.
#include "mm.h"
#include "vectors.h"

static u32 child_root;
static u32 child_rss;
static u64 bytes;
static bool stream;

/** As copy_page_range: the child shares every page, and neither process may write. */
static void fork_mm(void) {
  child_root = alloc_table(2, 3, 0);
  for (u64 address = START; address < START + bytes;) {
    u64 until = leaf_end(address, START + bytes);
    u64 *from = walk(root, address);
    u64 *to = walk_alloc(child_root, address);
    for (; address < until; address += PAGE_SIZE, from++, to++) {
      u64 pte = *from;
      if (!pte) continue;
      struct folio *folio = folio_of(pte_pfn(pte));
      child_rss++;
      if (pte_flags(pte) & PTE_WRITE) *from = pte &= ~(u64)PTE_WRITE;
      folio->refs++;
      folio->maps++;
      folio->flags &= (u16)~FOLIO_ANON_EXCLUSIVE;
      *to = pte & ~(u64)PTE_YOUNG;
    }
  }
}

/** Handles a write fault on a page that is present and read-only. */
static void write_fault(u64 *entry, u64 address) {
  u32 pfn = pte_pfn(*entry);
  struct folio *folio = folio_of(pfn);
  if (folio->flags & FOLIO_ANON_EXCLUSIVE || (folio->refs & FOLIO_COUNT_MASK) == 1) {
    folio->flags |= FOLIO_ANON_EXCLUSIVE;
    *entry |= PTE_WRITE | PTE_YOUNG | PTE_DIRTY;
    return;
  }
  u32 copy = alloc_frame(SYSTEM);
  if (!copy) fail("out of frames");
  if (stream) stream_page(frame_of(copy), frame_of(pfn));
  else memcpy(frame_of(copy), frame_of(pfn), PAGE_SIZE);
  new_anon(copy, address);
  *entry = make_pte(copy, PTE_PRESENT | PTE_WRITE | PTE_YOUNG | PTE_DIRTY);
  folio->maps--;
  put_page(pfn);
}

static void write_all(u32 from_root) {
  for (u64 address = START; address < START + bytes;) {
    u64 until = leaf_end(address, START + bytes);
    u64 *entry = walk(from_root, address);
    for (; address < until; address += PAGE_SIZE, entry++)
      if (!(pte_flags(*entry) & PTE_WRITE)) write_fault(entry, address);
  }
}

/** Hashes that the child's pages hold the parent's contents, and in which frames. */
static void check(u32 *hash) {
  for (u64 i = 0; i < bytes >> PAGE_SHIFT; i++) {
    u64 pte = *walk(child_root, START + (i << PAGE_SHIFT));
    *hash = hash_word(*hash, pte_pfn(pte) | (pte_flags(pte) & (PTE_PRESENT | PTE_WRITE)));
    *hash = hash_word(*hash, *(u32 *)frame_of(pte_pfn(pte)));
  }
  *hash = hash_word(*hash, child_rss);
}

static u64 once(u32 *hash) {
  u32 before = mm.rss;
  u64 t = now();
  fork_mm();
  write_all(child_root);
  if (stream) end_stream();
  t = now() - t;
  check(hash);
  unmap_range(child_root, START, START + bytes);
  free_table(child_root);
  child_rss = 0;
  mm.rss = before;
  write_all(root);
  return t;
}

/** Forks twice, because the frames of a child rise with its addresses, and those of the next one fall. */
static u64 repeat(u32 *hash) {
  u64 sum = once(hash);
  return (sum + once(hash)) / 2;
}

int main(int argc, char **argv) {
  bytes = number(argc, argv, 1);
  stream = number(argc, argv, 2);
  u32 pages = (u32)(bytes >> PAGE_SHIFT);
  if (stream) bytes_of_frames = huge_memory;
  init_frames(2 * pages, 0, true);
  init_tables(2 * (pages / PMD_PAGES + 16));
  root = alloc_table(1, 3, 0);
  populate(START, START + bytes);
  for (u32 i = 0; i < pages; i++) *(u32 *)frame_of(pte_pfn(*walk(root, START + ((u64)i << PAGE_SHIFT)))) = i;
  serve(repeat);
}
