// S2: demand paging with LRU, as one writes it in an afternoon: a hash map from page to frame, and an
// intrusive list in the order of use. It knows nothing of page tables, moves or drivers.
#include "twin.h"

/** A record: the address in the low 48 bits of the first word, bit 0 of the second set by a store. */
struct record {
  u64 where;
  u64 how;
};

struct frame {
  u64 page;
  u32 older, newer; // neighbors in the list; 0 is its head
  u32 next;         // the next frame in the bucket; 0: none
  u32 dirty;
};

static struct record *records;
static size_t count;
static struct frame *frames;
static u32 *buckets;
static u32 capacity, mask, used;
static u32 in, out_dirty;

static inline u32 bucket_of(u64 page) { return (u32)((page * 0x9e3779b97f4a7c15) >> 32) & mask; }

static inline void unlink_frame(u32 i) {
  frames[frames[i].older].newer = frames[i].newer;
  frames[frames[i].newer].older = frames[i].older;
}

static inline void push(u32 i) {
  frames[i].older = frames[0].older;
  frames[i].newer = 0;
  frames[frames[0].older].newer = i;
  frames[0].older = i;
}

static u32 evict(void) {
  u32 i = frames[0].newer;
  u32 *at = &buckets[bucket_of(frames[i].page)];
  while (*at != i) at = &frames[*at].next;
  *at = frames[i].next;
  out_dirty += frames[i].dirty;
  unlink_frame(i);
  return i;
}

static u32 bring(u64 page) {
  u32 i = used < capacity ? ++used : evict();
  u32 *bucket = &buckets[bucket_of(page)];
  frames[i] = (struct frame){.page = page, .next = *bucket};
  *bucket = i;
  in++;
  push(i);
  return i;
}

static u64 repeat(u32 *hash) {
  memset(frames, 0, (capacity + 1) * sizeof *frames);
  memset(buckets, 0, (mask + 1) * sizeof *buckets);
  used = in = out_dirty = 0;
  u64 t = now();
  for (size_t k = 0; k < count; k++) {
    u64 page = (records[k].where & 0xffffffffffff) >> 12;
    u32 i = buckets[bucket_of(page)];
    while (i && frames[i].page != page) i = frames[i].next;
    if (!i) i = bring(page);
    else if (frames[0].older != i) {
      unlink_frame(i);
      push(i);
    }
    frames[i].dirty |= records[k].how & 1;
  }
  t = now() - t;
  *hash = hash_word(hash_word(*hash, in), out_dirty);
  return t;
}

int main(int argc, char **argv) {
  if (argc < 2) fail("an argument is missing");
  size_t length;
  records = read_file(argv[1], &length);
  count = length / sizeof *records;
  capacity = (u32)number(argc, argv, 2);
  mask = 1;
  while (mask < capacity * 2) mask = mask * 2 + 1;
  frames = memory((capacity + 1) * sizeof *frames);
  buckets = memory((mask + 1) * sizeof *buckets);
  serve(repeat);
}
