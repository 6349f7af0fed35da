// P1: a snapshot of a range of page-table entries as hmm_pfn words.
//
// range-snapshot FILE START REPEATS: FILE holds the entries of consecutive pages from address START on, a u64
// each.
#include "hmm.h"

static u32 root;
static u64 start, pages, repeats;
static u32 *pfns;

/** Encodes a present entry or a device page of our own. Holes, swap entries and others give 0. */
static inline u32 encode(u64 pte) {
  u32 flags = pte_flags(pte);
  if (flags & PTE_PRESENT) return pte_pfn(pte) | (flags & (PTE_PRESENT | PTE_WRITE));
  if (pte_kind(pte) == PTE_KIND_DEVICE) return pte_pfn(pte) | HMM_PFN_VALID | (flags & PTE_WRITE);
  return 0;
}

/**
 * Encodes the entries of one table. Returns false if one of them is a migration entry, for which the caller
 * must wait.
 */
static inline bool snapshot_table(const u64 *restrict entry, u32 *restrict out, size_t n) {
  u32 migrating = 0;
  for (size_t i = 0; i < n; i++) {
    out[i] = encode(entry[i]);
    migrating |= pte_kind(entry[i]) == PTE_KIND_MIGRATION;
  }
  return !migrating;
}

static bool snapshot(u64 from, u64 end, u32 *out) {
  while (from < end) {
    u64 next = leaf_end(from, end);
    size_t n = (next - from) >> PAGE_SHIFT;
    const u64 *entry = walk(root, from);
    if (!entry) memset(out, 0, n * sizeof *out);
    else if (!snapshot_table(entry, out, n)) return false;
    out += n;
    from = next;
  }
  return true;
}

static u64 repeat(u32 *hash) {
  u64 t = now();
  for (u64 i = 0; i < repeats; i++)
    if (!snapshot(start, start + (pages << PAGE_SHIFT), pfns)) fail("an entry is migrating");
  t = now() - t;
  *hash = hash_words(*hash, pfns, pages);
  return t;
}

int main(int argc, char **argv) {
  if (argc < 2) fail("an argument is missing");
  size_t bytes;
  u64 *entries = read_file(argv[1], &bytes);
  start = number(argc, argv, 2);
  repeats = number(argc, argv, 3);
  pages = bytes / sizeof *entries;
  init_tables((u32)(pages / PMD_PAGES + 16));
  root = alloc_table(1, 3, 0);
  for (u64 i = 0; i < pages; i++)
    if (entries[i]) *walk_alloc(root, start + (i << PAGE_SHIFT)) = entries[i];
  pfns = memory(pages * sizeof *pfns);
  serve(repeat);
}
