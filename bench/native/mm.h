// One address space with private anonymous memory, for twins of system calls: populate, map a device, unmap.
#ifndef MM_H
#define MM_H

#include "migrate.h"

#define START 0x7f0000000000ull

/** Takes a write fault on every empty entry of [start, end), as mm.populate() does. */
static inline void populate(u64 start, u64 end) {
  for (u64 address = start; address < end;) {
    u64 until = leaf_end(address, end);
    u64 *entry = walk_alloc(root, address);
    for (; address < until; address += PAGE_SIZE, entry++) {
      if (*entry) continue;
      u32 pfn = alloc_frame(SYSTEM);
      if (!pfn) fail("out of frames");
      if (frames) memset(frame_of(pfn), 0, PAGE_SIZE);
      new_anon(pfn, address);
      *entry = make_pte(pfn, PTE_PRESENT | PTE_WRITE | PTE_YOUNG | PTE_DIRTY);
    }
  }
}

/** Enters every present page of [start, end) in the device's table. */
static inline void map_device(u32 device_root, u64 start, u64 end) {
  for (u64 address = start; address < end; address += PAGE_SIZE) {
    u64 *entry = walk(root, address);
    if (!entry || !pte_present(*entry)) continue;
    u32 flags = pte_flags(*entry) & (PTE_PRESENT | PTE_WRITE);
    *walk_alloc(device_root, address) = make_pte(pte_pfn(*entry), flags);
  }
}

/** Frees the tables below the root `top` that lie inside [start, end). Their entries are empty. */
static inline void free_tables(u32 top, u64 start, u64 end) {
  for (u32 level = 1; level <= 3; level++) {
    u32 shift = PAGE_SHIFT + level * 9;
    for (u64 address = start >> shift << shift; address < end; address += 1ull << shift) {
      u32 at = top;
      for (u32 l = 3; l > level && at; l--) at = next_table(slot(at, address, PAGE_SHIFT + l * 9));
      if (!at) continue;
      u64 *entry = slot(at, address, shift);
      if (!next_table(entry)) continue;
      free_table(next_table(entry));
      *entry = 0;
    }
  }
}

/** Clears a device's entries of [start, end). Returns how many there were. */
static inline u32 clear_device(u32 device_root, u64 start, u64 end) {
  u32 cleared = 0;
  for (u64 address = start; address < end;) {
    u64 until = leaf_end(address, end);
    u64 *entry = walk(device_root, address);
    if (entry)
      for (u64 *last = entry + ((until - address) >> PAGE_SHIFT); entry < last; entry++) {
        cleared += *entry != 0;
        *entry = 0;
      }
    address = until;
  }
  free_tables(device_root, start, end);
  return cleared;
}

/** munmap: clears the entries and drops their pages, then frees the tables. */
static inline void unmap_range(u32 from_root, u64 start, u64 end) {
  for (u64 address = start; address < end;) {
    u64 until = leaf_end(address, end);
    u64 *entry = walk(from_root, address);
    if (entry)
      for (u64 *last = entry + ((until - address) >> PAGE_SHIFT); entry < last; entry++) {
        u64 pte = *entry;
        if (!pte) continue;
        *entry = 0;
        folio_of(pte_pfn(pte))->maps--;
        put_page(pte_pfn(pte));
        mm.rss--;
      }
    address = until;
  }
  free_tables(from_root, start, end);
}

#endif
