// P1: a snapshot of a range of page-table entries as hmm_pfn words.
//
// range-snapshot FILE START REPEATS VECTORS: FILE holds the entries of consecutive pages from address START
// on, a u64 each. If VECTORS is 1, a table is encoded with AVX2, sixteen entries a turn.
#include "hmm.h"
#include "vectors.h"

static u32 root;
static u64 start, pages, repeats, vectors;
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

#ifdef HAS_VECTORS
/** Eight entries: their low words (flags), or their high words (pfns), in the order that unmix() undoes. */
#define LOW_WORDS(a, b) \
  _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88))
#define HIGH_WORDS(a, b) \
  _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0xdd))

AVX2 static inline __m256i unmix(__m256i words) { return _mm256_permute4x64_epi64(words, 0xd8); }

/** Encodes eight entries of any kind. Sets bits of *migrating if one of them is a migration entry. */
AVX2 static inline __m256i encode_any(__m256i flags, __m256i pfns, __m256i *migrating) {
  __m256i kinds = _mm256_and_si256(flags, _mm256_set1_epi32(PTE_KIND_MASK));
  __m256i device = _mm256_cmpeq_epi32(kinds, _mm256_set1_epi32(PTE_KIND_DEVICE));
  __m256i valid = _mm256_or_si256(_mm256_srai_epi32(flags, 31), device);
  __m256i bits = _mm256_and_si256(flags, _mm256_set1_epi32((int)PTE_WRITE));
  __m256i words = _mm256_or_si256(_mm256_or_si256(pfns, bits), _mm256_set1_epi32((int)HMM_PFN_VALID));
  *migrating = _mm256_or_si256(*migrating, _mm256_cmpeq_epi32(kinds, _mm256_set1_epi32(PTE_KIND_MIGRATION)));
  return _mm256_and_si256(words, valid);
}

/** As snapshot_table(). Entries without a kind are present or 0 and need no mask. */
AVX2 static bool snapshot_vectors(const u64 *restrict entry, u32 *restrict out, size_t n) {
  __m256i migrating = _mm256_setzero_si256();
  const __m256i kept = _mm256_set1_epi32((int)(PTE_PRESENT | PTE_WRITE));
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256i *in = (const __m256i *)(entry + i);
    __m256i a = _mm256_loadu_si256(in), b = _mm256_loadu_si256(in + 1);
    __m256i c = _mm256_loadu_si256(in + 2), d = _mm256_loadu_si256(in + 3);
    __m256i flags = LOW_WORDS(a, b), pfns = HIGH_WORDS(a, b);
    __m256i flags2 = LOW_WORDS(c, d), pfns2 = HIGH_WORDS(c, d);
    __m256i words, words2;
    if (likely(_mm256_testz_si256(_mm256_or_si256(flags, flags2), _mm256_set1_epi32(PTE_KIND_MASK)))) {
      words = _mm256_or_si256(pfns, _mm256_and_si256(flags, kept));
      words2 = _mm256_or_si256(pfns2, _mm256_and_si256(flags2, kept));
    } else {
      words = encode_any(flags, pfns, &migrating);
      words2 = encode_any(flags2, pfns2, &migrating);
    }
    _mm256_storeu_si256((__m256i *)(out + i), unmix(words));
    _mm256_storeu_si256((__m256i *)(out + i + 8), unmix(words2));
  }
  bool rest = snapshot_table(entry + i, out + i, n - i);
  return rest && _mm256_testz_si256(migrating, migrating);
}
#else
#define snapshot_vectors snapshot_table
#endif

static bool snapshot(u64 from, u64 end, u32 *out) {
  while (from < end) {
    u64 next = leaf_end(from, end);
    size_t n = (next - from) >> PAGE_SHIFT;
    const u64 *entry = walk(root, from);
    if (!entry) memset(out, 0, n * sizeof *out);
    else if (!(vectors ? snapshot_vectors(entry, out, n) : snapshot_table(entry, out, n))) return false;
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
  vectors = number(argc, argv, 4);
  pages = bytes / sizeof *entries;
  init_tables((u32)(pages / PMD_PAGES + 16));
  root = alloc_table(1, 3, 0);
  for (u64 i = 0; i < pages; i++)
    if (entries[i]) *walk_alloc(root, start + (i << PAGE_SHIFT)) = entries[i];
  pfns = memory(pages * sizeof *pfns);
  serve(repeat);
}
