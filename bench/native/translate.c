// P2: translates random addresses by walking four levels of tables.
//
// translate MAPPED QUERIES REPEATS AHEAD: finds AHEAD entries (at most 128) and prefetches them before it
// reads any of them; with 0 it reads each at once. MAPPED holds pairs of u64 (address, entry) in the order of
// addresses; QUERIES holds addresses as f64.
#include "hmm.h"

static u32 root;
static double *queries;
static u32 *out;
static u64 count, repeats, ahead;

static inline u32 translate(u64 address) {
  const u64 *entry = walk(root, address);
  if (!entry || !pte_present(*entry)) return 0;
  return pte_pfn(*entry) | (pte_flags(*entry) & (PTE_PRESENT | PTE_WRITE));
}

static void translate_ahead(u64 from, u64 n) {
  static const u64 nothing;
  const u64 *entries[128];
  for (u64 i = 0; i < n; i++) {
    const u64 *entry = walk(root, (u64)queries[from + i]);
    entries[i] = entry ? entry : &nothing;
    __builtin_prefetch(entries[i]);
  }
  for (u64 i = 0; i < n; i++) {
    u64 entry = *entries[i];
    u32 word = pte_pfn(entry) | (pte_flags(entry) & (PTE_PRESENT | PTE_WRITE));
    out[from + i] = pte_present(entry) ? word : 0;
  }
}

static u64 repeat(u32 *hash) {
  u64 t = now();
  for (u64 r = 0; r < repeats; r++) {
    if (ahead)
      for (u64 i = 0; i < count; i += ahead) translate_ahead(i, count - i < ahead ? count - i : ahead);
    else
      for (u64 i = 0; i < count; i++) out[i] = translate((u64)queries[i]);
  }
  t = now() - t;
  *hash = hash_words(*hash, out, count);
  return t;
}

int main(int argc, char **argv) {
  if (argc < 3) fail("an argument is missing");
  size_t bytes;
  u64 *mapped = read_file(argv[1], &bytes);
  size_t n = bytes / 16;
  queries = read_file(argv[2], &bytes);
  count = bytes / sizeof *queries;
  repeats = number(argc, argv, 3);
  ahead = number(argc, argv, 4);
  if (ahead > 128) fail("AHEAD is at most 128");
  u32 leaves = 0;
  for (size_t i = 0; i < n; i++)
    if (i == 0 || mapped[2 * i] >> 21 != mapped[2 * i - 2] >> 21) leaves++;
  init_tables(leaves + leaves / 256 + 16);
  root = alloc_table(1, 3, 0);
  for (size_t i = 0; i < n; i++) *walk_alloc(root, mapped[2 * i]) = mapped[2 * i + 1];
  out = memory(count * sizeof *out);
  serve(repeat);
}
