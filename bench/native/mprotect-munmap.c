// P6: mprotect and munmap of a populated mapping that a device mirrors. The device changes its own table
// first.
//
// mprotect-munmap mprotect BYTES VECTORS: changes BYTES to PROT_READ (measured), and back. mprotect-munmap
// munmap BYTES VECTORS: unmaps BYTES (measured), then maps and populates them again. A repetition does so
// twice. If VECTORS is 1, the loops are such that gcc makes vectors of them, and frames are freed by bitmap
// words.
#include "mm.h"
#include "runs.h"

static u32 device_root;
static u64 bytes;
static bool vectors;

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

// ── Loops without early ends and without stores under a condition ──────────────────────────────────────────

static void protect_device_vectors(u64 start, u64 end) {
  for (u64 address = start; address < end; address = leaf_end(address, end)) {
    size_t n = (leaf_end(address, end) - address) >> PAGE_SHIFT;
    u64 *restrict entry = walk(device_root, address);
    if (entry)
      for (size_t i = 0; i < n; i++) entry[i] &= ~(u64)PTE_WRITE;
  }
}

/** As change_protection() for a mapping that nobody may write any more. */
static void write_protect_vectors(u64 start, u64 end) {
  for (u64 address = start; address < end; address = leaf_end(address, end)) {
    size_t n = (leaf_end(address, end) - address) >> PAGE_SHIFT;
    u64 *restrict entry = walk(root, address);
    if (!entry) continue;
    for (size_t i = 0; i < n; i++) {
      u64 pte = entry[i];
      u64 migration = (pte & PTE_KIND_MASK) == PTE_KIND_MIGRATION ? ~0ull : 0;
      u64 device = (pte & PTE_KIND_MASK) == PTE_KIND_DEVICE ? ~0ull : 0;
      u64 loses = (migration | device | (pte & PTE_PRESENT ? ~0ull : 0)) & PTE_WRITE;
      u64 exclusive = pte & PTE_WRITE ? migration & PTE_EXCLUSIVE : 0;
      entry[i] = (pte & ~loses) | exclusive;
    }
  }
}

/** Returns whether the entries name neighboring frames, with the same flags. */
static bool one_run(const u64 *entry, size_t n) {
  u64 odd = 0;
  for (size_t i = 0; i < n; i++) odd |= entry[i] ^ (entry[0] + ((u64)i << 32));
  return !odd;
}

/** Drops 64 neighboring frames of one bitmap word, if nothing else uses any of them. */
static bool drop_word(u32 pfn) {
  struct folio *restrict folio = folio_of(pfn);
  u32 odd = 0;
  for (size_t i = 0; i < 64; i++) odd |= (folio[i].refs ^ 1) | ((folio[i].maps & FOLIO_COUNT_MASK) ^ 1);
  for (size_t i = 0; i < 64; i++) odd |= folio[i].flags & FOLIO_LOCKED;
  if (odd) return false;
  for (size_t i = 0; i < 64; i++) folio[i] = (struct folio){.index = folio[i].index, .flags = FOLIO_FREE};
  free_bits(pfn >> 6, ~0ull);
  return true;
}

static void drop(u64 pte) {
  if (!pte) return;
  folio_of(pte_pfn(pte))->maps--;
  put_page(pte_pfn(pte));
  mm.rss--;
}

/** As unmap_range(): 64 entries at a time, where they name the frames of one bitmap word. */
static void unmap_vectors(u64 start, u64 end) {
  for (u64 address = start; address < end; address = leaf_end(address, end)) {
    size_t n = (leaf_end(address, end) - address) >> PAGE_SHIFT;
    u64 *entry = walk(root, address);
    if (!entry) continue;
    for (size_t i = 0; i < n;) {
      u32 pfn = pte_pfn(entry[i]);
      if (pfn && !(pfn & 63) && n - i >= 64 && one_run(entry + i, 64) && drop_word(pfn)) {
        mm.rss -= 64;
        i += 64;
      } else {
        drop(entry[i++]);
      }
    }
    memset(entry, 0, n * sizeof *entry);
  }
  free_tables(root, start, end);
}

static void clear_device_vectors(u64 start, u64 end) {
  for (u64 address = start; address < end; address = leaf_end(address, end)) {
    u64 *entry = walk(device_root, address);
    if (entry) memset(entry, 0, (leaf_end(address, end) - address) >> PAGE_SHIFT << 3);
  }
  free_tables(device_root, start, end);
}

/** Returns an entry as it is hashed: its frame, and whether it is present and writable. */
static inline u32 word_of(const u64 *entry) {
  return entry ? pte_pfn(*entry) | (pte_flags(*entry) & (PTE_PRESENT | PTE_WRITE)) : 0;
}

/** Hashes the entries of both tables, page by page. */
static void check(u32 *hash) {
  for (u64 address = START; address < START + bytes; address += PAGE_SIZE) {
    *hash = hash_word(*hash, word_of(walk(root, address)));
    *hash = hash_word(*hash, word_of(walk(device_root, address)));
  }
  *hash = hash_word(*hash, mm.rss);
}

static u64 repeat_mprotect(u32 *hash) {
  check(hash);
  u64 t = now();
  if (vectors) {
    protect_device_vectors(START, START + bytes);
    write_protect_vectors(START, START + bytes);
  } else {
    protect_device(START, START + bytes);
    change_protection(START, START + bytes, false);
  }
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
    check(hash);
    u64 t = now();
    if (vectors) {
      clear_device_vectors(START, START + bytes);
      unmap_vectors(START, START + bytes);
    } else {
      clear_device(device_root, START, START + bytes);
      unmap_range(root, START, START + bytes);
    }
    sum += now() - t;
    check(hash);
    populate(START, START + bytes);
    map_device(device_root, START, START + bytes);
  }
  return sum / 2;
}

int main(int argc, char **argv) {
  if (argc < 2) fail("mprotect-munmap mprotect|munmap BYTES VECTORS");
  bytes = number(argc, argv, 2);
  vectors = number(argc, argv, 3);
  u32 pages = (u32)(bytes >> PAGE_SHIFT);
  init_frames(pages, 0, true);
  init_tables(2 * (pages / PMD_PAGES + 16));
  root = alloc_table(1, 3, 0);
  device_root = alloc_table(2, 3, 0);
  populate(START, START + bytes);
  map_device(device_root, START, START + bytes);
  serve(!strcmp(argv[1], "mprotect") ? repeat_mprotect : repeat_munmap);
}
