// P13: device faults in batches of 256 present pages: the CPU's entries go into an array, and the array into
// the device's table.
//
// device-faults BYTES LOOPS: all batches of BYTES are measured. Afterwards the device's table is emptied.
// With LOOPS 1 the loops over entries have no early end and no store that depends on a condition, so the
// compiler makes vectors of them; what is wrong with a batch is found out after it.
#include "mm.h"

#define FAULTS 256u

static u32 device_root;
static u32 device_entries;
static u64 bytes, loops;
static u32 pfns[FAULTS];

/** As hmm_range_fault with every page requested. Returns false if a page would have to be faulted in. */
static bool range_fault(u64 start, u64 end, u32 *out) {
  while (start < end) {
    u64 until = leaf_end(start, end);
    size_t n = (until - start) >> PAGE_SHIFT;
    const u64 *entry = walk(root, start);
    if (!entry) return false;
    for (size_t i = 0; i < n; i++) {
      if (!pte_present(entry[i])) return false;
      out[i] = pte_pfn(entry[i]) | (pte_flags(entry[i]) & (PTE_PRESENT | PTE_WRITE));
    }
    out += n;
    start = until;
  }
  return true;
}

static void map(u64 start, const u32 *words, u32 n) {
  for (u32 i = 0; i < n; i++)
    if (words[i] & HMM_PFN_VALID && (words[i] & PFN_MASK) >= device_base) fail("not a page");
  for (u64 address = start, end = start + (u64)n * PAGE_SIZE; address < end;) {
    u64 until = leaf_end(address, end);
    u64 *entry = walk_alloc(device_root, address);
    for (; address < until; address += PAGE_SIZE, entry++, words++) {
      if (!(*words & HMM_PFN_VALID)) continue;
      device_entries += !*entry;
      *entry = make_pte(*words & PFN_MASK, *words & (HMM_PFN_VALID | HMM_PFN_WRITE));
    }
  }
}

/** range_fault() of a batch as a loop without branches. */
static bool range_fault_whole(u64 start, u64 end, u32 *out) {
  u64 all = PTE_PRESENT;
  while (start < end) {
    u64 until = leaf_end(start, end);
    size_t n = (until - start) >> PAGE_SHIFT;
    const u64 *entry = walk(root, start);
    if (!entry) return false;
    for (size_t i = 0; i < n; i++) {
      u64 pte = entry[i];
      all &= pte;
      out[i] = pte_pfn(pte) | (pte_flags(pte) & (PTE_PRESENT | PTE_WRITE));
    }
    out += n;
    start = until;
  }
  return pte_present(all);
}

/** map() of words that are all valid, as loops without branches. */
static void map_whole(u64 start, const u32 *words, u32 n) {
  u32 all = HMM_PFN_VALID, wrong = 0;
  for (u32 i = 0; i < n; i++) {
    all &= words[i];
    wrong |= (words[i] & PFN_MASK) >= device_base;
  }
  if (wrong) fail("not a page");
  if (!all) {
    map(start, words, n);
    return;
  }
  for (u64 address = start, end = start + (u64)n * PAGE_SIZE; address < end;) {
    u64 until = leaf_end(address, end);
    u32 count = (u32)((until - address) >> PAGE_SHIFT), fresh = 0;
    u64 *entry = walk_alloc(device_root, address);
    for (u32 i = 0; i < count; i++) {
      fresh += !entry[i];
      entry[i] = make_pte(words[i] & PFN_MASK, words[i] & (HMM_PFN_VALID | HMM_PFN_WRITE));
    }
    device_entries += fresh;
    words += count;
    address = until;
  }
}

static u64 repeat(u32 *hash) {
  u64 end = START + bytes;
  u64 t = now();
  for (u64 at = START; at < end; at += FAULTS * PAGE_SIZE) {
    u64 until = at + FAULTS * PAGE_SIZE;
    bool whole = loops ? range_fault_whole(at, until, pfns) : range_fault(at, until, pfns);
    if (!whole) fail("a page is missing");
    if (loops) map_whole(at, pfns, FAULTS);
    else map(at, pfns, FAULTS);
  }
  t = now() - t;
  for (u64 at = START; at < end; at += PAGE_SIZE) {
    u64 pte = *walk(device_root, at);
    *hash = hash_word(*hash, pte_pfn(pte) | (pte_flags(pte) & (PTE_PRESENT | PTE_WRITE)));
  }
  device_entries -= clear_device(device_root, START, end);
  if (device_entries) fail("entries are left");
  return t;
}

int main(int argc, char **argv) {
  bytes = number(argc, argv, 1);
  loops = number(argc, argv, 2);
  u32 pages = (u32)(bytes >> PAGE_SHIFT);
  init_frames(pages, 0, false);
  init_tables(2 * (pages / PMD_PAGES + 16));
  root = alloc_table(1, 3, 0);
  device_root = alloc_table(2, 3, 0);
  populate(START, START + bytes);
  serve(repeat);
}
