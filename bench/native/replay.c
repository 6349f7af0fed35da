// P7: replays decoded accesses of a CPU and a device that share an address space, as src/sim and the core do
// under the policy "migrate". Each agent has a small translation buffer in front of its tables. A device
// fault moves a 64 KiB cluster to the device, a CPU fault moves it back, and the least recently used clusters
// make room.
//
// replay RECORDS START BYTES DEVICE_BYTES: RECORDS holds two u64 for each access (assembly/abi/record.ts);
// all accesses lie in [START, START + BYTES).
#define KEEPS_LRU
#include "migrate.h"

#define CLUSTER_PAGES 16u
#define CLUSTER_SIZE (CLUSTER_PAGES * PAGE_SIZE)
#define TLB_ENTRIES 256u
#define LEAVES 16u
#define OLDEST_MAX (CLUSTER_PAGES + 1)

#define RECORD_SIZE_SHIFT 48
#define ADDRESS_MASK ((1ull << RECORD_SIZE_SHIFT) - 1)
#define KIND_MASK 0xf3u
#define AGENT_MASK 0xff00u
#define MODIFY 2u

static struct record {
  u64 where;
  u32 how, id;
} *records;
static size_t count;
static u64 first_address, bytes, capacity; // capacity in pages
static u32 device_root;
static u16 *left; // for each cluster, one bit for each page that has left the device
static struct {
  u32 accesses[8]; // CPU load, store, modify, unused; device load, store, modify, unused
  u32 zero, anon, cow, fault_back, migrate;
  u32 pages_in, pages_copied, pages_in_again;
  u32 pages_out, pages_out_dirty, pages_out_evicted, pages_peak, evictions;
  u32 growths;
} counts;

// ── Mappings: sorted; neighbors are merged ─────────────────────────────────────────────────────────────────

static struct vma {
  u64 start, end;
} vmas[64];
static u32 vma_count;

static bool mapped(u64 address) {
  for (u32 i = 0; i < vma_count; i++)
    if (address >= vmas[i].start && address < vmas[i].end) return true;
  return false;
}

/** Maps the 2 MiB around an address that no mapping covers. */
static void grow(u64 address) {
  u64 start = address & ~(PMD_SIZE - 1), end = start + PMD_SIZE;
  u32 at = 0;
  while (at < vma_count && vmas[at].end < start) at++;
  counts.growths++;
  if (at < vma_count && vmas[at].end == start) {
    vmas[at].end = end;
    if (at + 1 == vma_count || vmas[at + 1].start != end) return;
    vmas[at].end = vmas[at + 1].end;
    memmove(&vmas[at + 1], &vmas[at + 2], (--vma_count - at - 1) * sizeof *vmas);
  } else if (at < vma_count && vmas[at].start == end) {
    vmas[at].start = start;
  } else {
    if (vma_count == 64) fail("too many mappings");
    memmove(&vmas[at + 1], &vmas[at], (vma_count++ - at) * sizeof *vmas);
    vmas[at] = (struct vma){start, end};
  }
}

// ── Translation ────────────────────────────────────────────────────────────────────────────────────────────

struct tlb_entry {
  u64 tag; // (page number + 1) << 1 | writable
  u32 pfn, unused;
};

/** A leaf table that a miss has found. Its tag is page / 512 + 1. */
struct leaf {
  u64 tag;
  u32 table, unused;
};

static struct tlb_entry tlbs[2][TLB_ENTRIES]; // CPU, device
static struct leaf leaves[2][LEAVES];

static u64 *cached_walk(u64 page, bool device) {
  struct leaf *leaf = &leaves[device][page >> 9 & (LEAVES - 1)];
  if (leaf->tag != (page >> 9) + 1) {
    u32 table = leaf_table(device ? device_root : root, page << PAGE_SHIFT);
    if (!table) return NULL;
    *leaf = (struct leaf){(page >> 9) + 1, table, 0};
  }
  return slot(leaf->table, page << PAGE_SHIFT, PAGE_SHIFT);
}

static bool tlb_fill(struct tlb_entry *entry, u64 page, u64 write, bool device) {
  u64 *slot = cached_walk(page, device);
  if (!slot) return false;
  u32 needs = write ? PTE_PRESENT | PTE_WRITE : PTE_PRESENT;
  if ((pte_flags(*slot) & needs) != needs) return false;
  *slot |= (device ? 0 : PTE_YOUNG) | (write ? PTE_DIRTY : 0);
  *entry = (struct tlb_entry){(page + 1) << 1 | write, pte_pfn(*slot), 0};
  return true;
}

struct stop {
  u64 address;
  bool write, device;
};

/** Replays records from `at` on. Returns the index of the first record that faults, and fills *stop. */
static size_t replay(size_t at, struct stop *stop) {
  memset(tlbs, 0, sizeof tlbs);
  memset(leaves, 0, sizeof leaves);
  for (size_t i = at; i < count; i++) {
    u64 where = records[i].where;
    u32 kind = records[i].how & KIND_MASK;
    if (unlikely(kind > MODIFY)) fail("a record that is no access");
    u64 address = where & ADDRESS_MASK, size = where >> RECORD_SIZE_SHIFT;
    u64 write = kind ? 1 : 0;
    u64 last = (address + size - (size ? 1 : 0)) >> PAGE_SHIFT;
    bool device = records[i].how & AGENT_MASK;
    for (u64 page = address >> PAGE_SHIFT; page <= last; page++) {
      struct tlb_entry *entry = &tlbs[device][page & (TLB_ENTRIES - 1)];
      bool hit = entry->tag >> 1 == page + 1 && (entry->tag & write) == write;
      if (unlikely(!hit) && !tlb_fill(entry, page, write, device)) {
        *stop = (struct stop){page << PAGE_SHIFT, write, device};
        return i;
      }
      if (device && is_device(entry->pfn)) lru_touch(entry->pfn);
    }
    counts.accesses[kind | (u32)device << 2]++;
  }
  return count;
}

// ── The device ─────────────────────────────────────────────────────────────────────────────────────────────

static inline u16 *left_of(u64 address) { return &left[(address - first_address) / CLUSTER_SIZE]; }
static inline u64 used_pages(void) { return capacity - zones[DEVICE].free_pages; }

/** Moves the device's pages of a cluster to RAM. Returns how many pages moved. */
static u32 move_out(u64 cluster) {
  static struct migration m;
  u64 entries[CLUSTER_PAGES];
  for (u32 i = 0; i < CLUSTER_PAGES; i++) {
    u64 *entry = walk(device_root, cluster + i * PAGE_SIZE);
    entries[i] = entry ? *entry : 0;
  }
  m.start = cluster;
  m.npages = CLUSTER_PAGES;
  collect(&m, DEVICE);
  unmap(&m);
  allocate(&m, SYSTEM);
  copy_pages(&m);
  move_pages(&m);
  map_migrated(device_root, &m);
  u32 moved = 0;
  for (u32 i = 0; i < CLUSTER_PAGES; i++) {
    if (!has_source(&m, i)) continue;
    moved++;
    *left_of(cluster) |= (u16)(1 << i);
    if (pte_flags(entries[i]) & PTE_DIRTY) counts.pages_out_dirty++;
  }
  finalize(&m);
  while (take_freed(DEVICE)) continue;
  counts.pages_out += moved;
  return moved;
}

/** Returns the address of the device's least recently used page outside the cluster `keep`. */
static u64 oldest(u64 keep) {
  u32 seen = 0;
  for (u32 pfn = lru_tail; pfn && seen < OLDEST_MAX; pfn = lru_of(pfn)->newer, seen++) {
    struct folio *folio = folio_of(pfn);
    u64 address = ((u64)(folio->maps >> 24) << 32 | folio->index) << PAGE_SHIFT;
    u64 *entry = walk(root, address);
    if (!entry || pte_pfn(*entry) != pfn) continue;
    if (address < keep || address >= keep + CLUSTER_SIZE) return address;
  }
  fail("nothing can be evicted");
}

static void make_room(u32 wanted, u64 keep) {
  while (capacity - used_pages() < wanted) {
    u64 victim = oldest(keep);
    counts.pages_out_evicted += move_out(victim & ~(u64)(CLUSTER_SIZE - 1));
    counts.evictions++;
  }
}

static void count_in(const struct migration *m) {
  u16 gone = *left_of(m->start);
  for (u32 i = 0; i < m->npages; i++) {
    if (!(m->src[i] & MIGRATE_PFN_MIGRATE)) continue;
    counts.pages_in++;
    counts.pages_copied += m->src[i] >> 31;
    counts.pages_in_again += gone >> i & 1;
  }
  if (used_pages() > counts.pages_peak) counts.pages_peak = (u32)used_pages();
}

/** Handles a device fault: moves the cluster to the device. */
static void move_in(u64 address) {
  static struct migration m;
  u64 cluster = address & ~(u64)(CLUSTER_SIZE - 1);
  u32 wanted = 0;
  for (u32 i = 0; i < CLUSTER_PAGES; i++) {
    u64 *entry = walk(device_root, cluster + i * PAGE_SIZE);
    wanted += !entry || !(pte_present(*entry) && is_device(pte_pfn(*entry)));
  }
  make_room(wanted, cluster);
  m.start = cluster;
  m.npages = CLUSTER_PAGES;
  collect(&m, SYSTEM);
  unmap(&m);
  allocate(&m, DEVICE);
  copy_pages(&m);
  move_pages(&m);
  map_migrated(device_root, &m);
  count_in(&m);
  finalize(&m);
  counts.migrate++;
}

// ── The CPU ────────────────────────────────────────────────────────────────────────────────────────────────

static void cpu_fault(u64 address, bool write) {
  u64 *entry = walk_alloc(root, address);
  if (pte_kind(*entry) == PTE_KIND_DEVICE) {
    counts.fault_back++;
    move_out(address & ~(u64)(CLUSTER_SIZE - 1));
    return;
  }
  if (!write) {
    *entry = make_pte(ZERO_PFN, PTE_PRESENT | PTE_YOUNG | PTE_SPECIAL);
    counts.zero++;
    return;
  }
  if (*entry) counts.cow++;
  else counts.anon++;
  u32 pfn = alloc_frame(SYSTEM);
  if (!pfn) fail("out of frames");
  memset(frame_of(pfn), 0, PAGE_SIZE);
  new_anon(pfn, address);
  *entry = make_pte(pfn, PTE_PRESENT | PTE_WRITE | PTE_YOUNG | PTE_DIRTY);
}

static void replay_all(void) {
  struct stop stop;
  for (size_t at = replay(0, &stop); at < count; at = replay(at, &stop)) {
    if (!mapped(stop.address)) grow(stop.address);
    else if (stop.device) move_in(stop.address);
    else cpu_fault(stop.address, stop.write);
  }
}

/** Where a page is: 0 nowhere, 1 the zero page, 2 RAM, 3 the device. */
static u32 place_of(u64 address) {
  u64 *entry = walk(root, address);
  if (!entry || !*entry) return 0;
  return pte_flags(*entry) & PTE_SPECIAL ? 1 : is_device(pte_pfn(*entry)) ? 3 : 2;
}

/** Starts with an empty address space and an empty device. */
static void begin(void) {
  tables_high = tables_free = tables_used = 0;
  root = alloc_table(1, 3, 0);
  device_root = alloc_table(2, 3, 0);
  memset(left, 0, bytes / CLUSTER_SIZE * sizeof *left);
  memset(&counts, 0, sizeof counts);
  vma_count = 0;
}

static void end(void) {
  for (u64 address = first_address; address < first_address + bytes; address += PAGE_SIZE) {
    u64 *entry = walk(root, address);
    if (!entry || !*entry || pte_flags(*entry) & PTE_SPECIAL) continue;
    folio_of(pte_pfn(*entry))->maps--;
    put_page(pte_pfn(*entry));
    mm.rss--;
  }
  while (take_freed(DEVICE)) continue;
}

static u64 repeat(u32 *hash) {
  begin();
  u64 t = now();
  replay_all();
  t = now() - t;
  u32 *a = counts.accesses;
  u32 loads_and_stores[4] = {a[0] + a[2], a[1] + a[2], a[4] + a[6], a[5] + a[6]};
  *hash = hash_words(*hash, loads_and_stores, 4);
  *hash = hash_words(*hash, &counts.zero, (u32 *)(&counts + 1) - &counts.zero);
  *hash = hash_word(hash_word(*hash, mm.rss), (u32)used_pages());
  for (u64 at = first_address; at < first_address + bytes; at += PAGE_SIZE)
    *hash = hash_word(*hash, place_of(at));
  end();
  return t;
}

int main(int argc, char **argv) {
  if (argc < 2) fail("an argument is missing");
  size_t length;
  records = read_file(argv[1], &length);
  count = length / sizeof *records;
  first_address = number(argc, argv, 2);
  bytes = number(argc, argv, 3);
  capacity = number(argc, argv, 4) >> PAGE_SHIFT;
  init_frames((u32)(bytes >> PAGE_SHIFT), (u32)capacity, true);
  init_tables((u32)(bytes / PMD_SIZE * 2 + 16));
  left = memory(bytes / CLUSTER_SIZE * sizeof *left);
  serve(repeat);
}
