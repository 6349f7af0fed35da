// P13: device faults in batches of 256 present pages: the CPU's entries go into an array, and the array into
// the device's table.
//
// device-faults BYTES: all batches of BYTES are measured. Afterwards the device's table is emptied.
#include "mm.h"

#define FAULTS 256u

static u32 device_root;
static u32 device_entries;
static u64 bytes;
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

static u64 repeat(u32 *hash) {
  u64 end = START + bytes;
  u64 t = now();
  for (u64 at = START; at < end; at += FAULTS * PAGE_SIZE) {
    if (!range_fault(at, at + FAULTS * PAGE_SIZE, pfns)) fail("a page is missing");
    map(at, pfns, FAULTS);
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
  u32 pages = (u32)(bytes >> PAGE_SHIFT);
  init_frames(pages, 0, false);
  init_tables(2 * (pages / PMD_PAGES + 16));
  root = alloc_table(1, 3, 0);
  device_root = alloc_table(2, 3, 0);
  populate(START, START + bytes);
  serve(repeat);
}
