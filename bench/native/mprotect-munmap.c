// P6: mprotect and munmap of a populated mapping that a device mirrors. The device changes its own table
// first.
//
// mprotect-munmap mprotect BYTES: changes BYTES to PROT_READ (measured), and back. mprotect-munmap munmap
// BYTES: unmaps BYTES (measured), then maps and populates them again. A repetition does so twice.
#include "mm.h"

static u32 device_root;
static u64 bytes;

/** The mirror's callback for a range that loses write permission. */
static void protect_device(u64 start, u64 end) {
  for (u64 address = start; address < end;) {
    u64 until = leaf_end(address, end);
    u64 *entry = walk(device_root, address);
    if (entry)
      for (u64 *last = entry + ((until - address) >> PAGE_SHIFT); entry < last; entry++)
        if (pte_flags(*entry) & PTE_WRITE) *entry &= ~(u64)PTE_WRITE;
    address = until;
  }
}

/** Returns an entry as its mapping's new protection has it. */
static inline u64 changed(u64 pte, bool writable) {
  if (pte_present(pte)) {
    bool exclusive = folio_of(pte_pfn(pte))->flags & FOLIO_ANON_EXCLUSIVE;
    bool may = writable && !(pte_flags(pte) & PTE_SPECIAL) && exclusive;
    return may ? pte | PTE_WRITE : pte & ~(u64)PTE_WRITE;
  }
  if (!(pte_flags(pte) & PTE_WRITE)) return pte;
  if (pte_kind(pte) == PTE_KIND_MIGRATION) return (pte & ~(u64)PTE_WRITE) | PTE_EXCLUSIVE;
  return pte_kind(pte) == PTE_KIND_DEVICE ? pte & ~(u64)PTE_WRITE : pte;
}

static void change_protection(u64 start, u64 end, bool writable) {
  for (u64 address = start; address < end;) {
    u64 until = leaf_end(address, end);
    u64 *entry = walk(root, address);
    if (entry)
      for (u64 *last = entry + ((until - address) >> PAGE_SHIFT); entry < last; entry++)
        if (*entry) *entry = changed(*entry, writable);
    address = until;
  }
}

/** Hashes the flags of both tables, page by page. */
static void check(u32 *hash) {
  for (u64 address = START; address < START + bytes; address += PAGE_SIZE) {
    u64 *cpu = walk(root, address), *device = walk(device_root, address);
    *hash = hash_word(*hash, cpu ? pte_flags(*cpu) & (PTE_PRESENT | PTE_WRITE) : 0);
    *hash = hash_word(*hash, device ? pte_flags(*device) & (PTE_PRESENT | PTE_WRITE) : 0);
  }
  *hash = hash_word(*hash, mm.rss);
}

static u64 repeat_mprotect(u32 *hash) {
  u64 t = now();
  protect_device(START, START + bytes);
  change_protection(START, START + bytes, false);
  t = now() - t;
  check(hash);
  change_protection(START, START + bytes, true);
  map_device(device_root, START, START + bytes);
  return t;
}

/** Unmaps twice, because frame numbers rise in one mapping and fall in the next one. */
static u64 repeat_munmap(u32 *hash) {
  u64 sum = 0;
  for (int i = 0; i < 2; i++) {
    u64 t = now();
    clear_device(device_root, START, START + bytes);
    unmap_range(root, START, START + bytes);
    sum += now() - t;
    check(hash);
    populate(START, START + bytes);
    map_device(device_root, START, START + bytes);
  }
  return sum / 2;
}

int main(int argc, char **argv) {
  if (argc < 2) fail("mprotect-munmap mprotect|munmap BYTES");
  bytes = number(argc, argv, 2);
  u32 pages = (u32)(bytes >> PAGE_SHIFT);
  init_frames(pages, 0, true);
  init_tables(2 * (pages / PMD_PAGES + 16));
  root = alloc_table(1, 3, 0);
  device_root = alloc_table(2, 3, 0);
  populate(START, START + bytes);
  map_device(device_root, START, START + bytes);
  serve(!strcmp(argv[1], "mprotect") ? repeat_mprotect : repeat_munmap);
}
