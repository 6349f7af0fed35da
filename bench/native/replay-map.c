// P7 without page tables: a simulator as one writes it in an afternoon, with nothing that its counts do not
// need. A hash map has the clusters of 64 KiB, and an intrusive list the device's pages in the order of use.
//
// replay-map RECORDS START BYTES DEVICE_BYTES: as replay.
#include "twin.h"

#define PAGE_SHIFT 12
#define CLUSTER_PAGES 16u
#define CLUSTER_SHIFT 16
#define PIECE_SHIFT 21
#define ADDRESS_MASK 0xffffffffffffull
#define KIND_MASK 0xf3u
#define AGENT_MASK 0xff00u

static struct record {
  u64 where;
  u32 how, id;
} *records;
static size_t count;
static u64 first_address, bytes;
static u32 capacity;

/** One bit for each page of a cluster. A key of 0 is an empty place of the map. */
static struct cluster {
  u32 key;
  u16 device, ram, zero, dirty, left;
} *clusters;
static u32 mask; // of places in the map

/** Neighbors of a device page in the order of use: node 16 * cluster + page + 1. Node 0 is both ends. */
static struct node {
  u32 newer, older;
} *nodes;

static u8 *mapped; // for each 2 MiB from the piece of first_address on
static u32 used, rss;
static struct {
  u32 accesses[8];
  u32 zero, anon, cow, fault_back, migrate;
  u32 pages_in, pages_copied, pages_in_again;
  u32 pages_out, pages_out_dirty, pages_out_evicted, pages_peak, evictions;
  u32 growths;
} counts;

static inline struct cluster *cluster_of(u64 address) {
  u32 key = (u32)(address >> CLUSTER_SHIFT);
  u32 at = key * 0x9e3779b1u & mask;
  while (clusters[at].key != key) {
    if (!clusters[at].key) {
      clusters[at].key = key;
      break;
    }
    at = (at + 1) & mask;
  }
  return &clusters[at];
}

static inline u32 node_of(const struct cluster *c, u32 page) {
  return (u32)(c - clusters) * CLUSTER_PAGES + page + 1;
}

static inline void unlink_node(u32 n) {
  nodes[nodes[n].newer].older = nodes[n].older;
  nodes[nodes[n].older].newer = nodes[n].newer;
}

static inline void push(u32 n) {
  nodes[n] = (struct node){0, nodes[0].older};
  nodes[nodes[0].older].newer = n;
  nodes[0].older = n;
}

static void move_out(struct cluster *c) {
  u16 pages = c->device;
  u32 n = (u32)__builtin_popcount(pages);
  for (u32 rest = pages; rest; rest &= rest - 1) unlink_node(node_of(c, (u32)__builtin_ctz(rest)));
  counts.pages_out += n;
  counts.pages_out_dirty += (u32)__builtin_popcount(pages & c->dirty);
  c->left |= pages;
  c->ram |= pages;
  c->device = c->dirty = 0;
  used -= n;
}

static void make_room(u32 wanted, const struct cluster *keep) {
  while (capacity - used < wanted) {
    u32 n = nodes[0].newer;
    while (n && &clusters[(n - 1) / CLUSTER_PAGES] == keep) n = nodes[n].newer;
    if (!n) fail("nothing can be evicted");
    struct cluster *victim = &clusters[(n - 1) / CLUSTER_PAGES];
    counts.pages_out_evicted += (u32)__builtin_popcount(victim->device);
    move_out(victim);
    counts.evictions++;
  }
}

static void move_in(struct cluster *c) {
  u16 pages = (u16)~c->device;
  u32 n = (u32)__builtin_popcount(pages), copied = (u32)__builtin_popcount(pages & c->ram);
  make_room(n, c);
  for (u32 rest = pages; rest; rest &= rest - 1) push(node_of(c, (u32)__builtin_ctz(rest)));
  counts.pages_in += n;
  counts.pages_copied += copied;
  counts.pages_in_again += (u32)__builtin_popcount(pages & c->left);
  counts.migrate++;
  rss += n - copied;
  used += n;
  if (used > counts.pages_peak) counts.pages_peak = used;
  c->device = 0xffff;
  c->ram = c->zero = 0;
}

static void fault(struct cluster *c, u64 address, u32 bit, bool write, bool device) {
  u8 *piece = &mapped[(address >> PIECE_SHIFT) - (first_address >> PIECE_SHIFT)];
  if (!*piece) {
    *piece = 1;
    counts.growths++;
  } else if (device) {
    move_in(c);
  } else if (c->device & bit) {
    counts.fault_back++;
    move_out(c);
  } else if (!write) {
    counts.zero++;
    c->zero |= (u16)bit;
  } else {
    if (c->zero & bit) counts.cow++;
    else counts.anon++;
    c->zero &= (u16)~bit;
    c->ram |= (u16)bit;
    rss++;
  }
}

/** Makes one access to a page. Returns false if it faulted, and has to be made again. */
static inline bool touch(u64 address, bool write, bool device) {
  struct cluster *c = cluster_of(address);
  u32 page = (u32)(address >> PAGE_SHIFT) & (CLUSTER_PAGES - 1), bit = 1u << page;
  if (device ? c->device & bit : c->ram & bit || (!write && c->zero & bit)) {
    if (!device) return true;
    if (write) c->dirty |= (u16)bit;
    u32 n = node_of(c, page);
    if (nodes[0].older != n) {
      unlink_node(n);
      push(n);
    }
    return true;
  }
  fault(c, address, bit, write, device);
  return false;
}

static void replay_all(void) {
  for (size_t i = 0; i < count;) {
    u64 where = records[i].where, address = where & ADDRESS_MASK;
    u32 kind = records[i].how & KIND_MASK;
    bool device = records[i].how & AGENT_MASK, done = true;
    u64 last = (address + (where >> 48) - 1) >> PAGE_SHIFT;
    for (u64 page = address >> PAGE_SHIFT; done && page <= last; page++)
      done = touch(page << PAGE_SHIFT, kind, device);
    if (!done) continue;
    counts.accesses[kind | (u32)device << 2]++;
    i++;
  }
}

/** Where a page is: 0 nowhere, 1 the zero page, 2 RAM, 3 the device. */
static u32 place_of(u64 address) {
  struct cluster *c = cluster_of(address);
  u32 bit = 1u << (address >> PAGE_SHIFT & (CLUSTER_PAGES - 1));
  return c->device & bit ? 3 : c->ram & bit ? 2 : c->zero & bit ? 1 : 0;
}

static u64 repeat(u32 *hash) {
  memset(clusters, 0, (mask + 1) * sizeof *clusters);
  memset(nodes, 0, ((mask + 1) * CLUSTER_PAGES + 1) * sizeof *nodes);
  memset(mapped, 0, (bytes >> PIECE_SHIFT) + 2);
  memset(&counts, 0, sizeof counts);
  used = rss = 0;
  u64 t = now();
  replay_all();
  t = now() - t;
  u32 *a = counts.accesses;
  u32 loads_and_stores[4] = {a[0] + a[2], a[1] + a[2], a[4] + a[6], a[5] + a[6]};
  *hash = hash_words(*hash, loads_and_stores, 4);
  *hash = hash_words(*hash, &counts.zero, (u32 *)(&counts + 1) - &counts.zero);
  *hash = hash_word(hash_word(*hash, rss), used);
  for (u64 at = first_address; at < first_address + bytes; at += 1 << PAGE_SHIFT)
    *hash = hash_word(*hash, place_of(at));
  return t;
}

int main(int argc, char **argv) {
  if (argc < 2) fail("an argument is missing");
  size_t length;
  records = read_file(argv[1], &length);
  count = length / sizeof *records;
  first_address = number(argc, argv, 2);
  bytes = number(argc, argv, 3);
  capacity = (u32)(number(argc, argv, 4) >> PAGE_SHIFT);
  mask = 1;
  while (mask < 2 * (bytes >> CLUSTER_SHIFT)) mask = mask * 2 + 1;
  clusters = memory((mask + 1) * sizeof *clusters);
  nodes = memory(((size_t)(mask + 1) * CLUSTER_PAGES + 1) * sizeof *nodes);
  mapped = memory((bytes >> PIECE_SHIFT) + 2);
  serve(repeat);
}
