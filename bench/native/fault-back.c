// P12: a CPU touches pages that are in device memory. Each fault migrates a cluster back: copies and table
// work.
//
// fault-back BYTES CLUSTER_PAGES: a repetition moves BYTES to the device, then loads a word of each cluster
// (measured).
#include "mm.h"

static u64 bytes;
static u32 cluster_pages;

static void migrate(u64 start, u32 npages, u32 from, u32 to) {
  static struct migration m;
  m.start = start;
  m.npages = npages;
  collect(&m, from);
  unmap(&m);
  allocate(&m, to);
  copy_pages(&m);
  move_pages(&m);
  finalize(&m);
}

static u32 load(u64 address) {
  u64 *entry = walk(root, address);
  if (pte_kind(*entry) == PTE_KIND_DEVICE) {
    migrate(address & ~((u64)cluster_pages * PAGE_SIZE - 1), cluster_pages, DEVICE, SYSTEM);
    while (take_freed(DEVICE)) continue;
    entry = walk(root, address);
  }
  *entry |= PTE_YOUNG;
  return *(u32 *)(frame_of(pte_pfn(*entry)) + (address & (PAGE_SIZE - 1)));
}

static u64 repeat(u32 *hash) {
  for (u64 at = 0; at < bytes; at += BATCH * PAGE_SIZE)
    migrate(START + at, (u32)(min_u64(bytes - at, BATCH * PAGE_SIZE) >> PAGE_SHIFT), SYSTEM, DEVICE);
  u32 sum = 0;
  u64 t = now();
  for (u64 at = 0; at < bytes; at += cluster_pages * PAGE_SIZE) sum += load(START + at);
  t = now() - t;
  *hash = hash_word(*hash, sum);
  for (u64 at = 0; at < bytes; at += PAGE_SIZE) {
    u64 pte = *walk(root, START + at);
    *hash = hash_word(*hash, pte_flags(pte) & (PTE_PRESENT | PTE_WRITE));
    *hash = hash_word(*hash, *(u32 *)frame_of(pte_pfn(pte)));
  }
  return t;
}

int main(int argc, char **argv) {
  bytes = number(argc, argv, 1);
  cluster_pages = (u32)number(argc, argv, 2);
  u32 pages = (u32)(bytes >> PAGE_SHIFT);
  init_frames(pages, pages, true);
  init_tables(pages / PMD_PAGES + 16);
  root = alloc_table(1, 3, 0);
  populate(START, START + bytes);
  for (u32 i = 0; i < pages; i++) *(u32 *)frame_of(pte_pfn(*walk(root, START + ((u64)i << PAGE_SHIFT)))) = i;
  serve(repeat);
}
