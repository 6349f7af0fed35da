// The lower bounds that memory sets for the rows.
//
// floor copy BYTES REPEATS    memcpy of BYTES.
// floor alone BYTES REPEATS   memcpy of BYTES, 4 KiB at a time. A pause of 1.5 µs after each page, which is
//                             not counted, ensures that no copy starts while the previous one still waits
//                             for memory.
// floor exchange BYTES REPEATS  memcpy of 64 KiB of device memory, of which there are BYTES, to a free place
//                             in RAM, then of another 64 KiB of RAM to the place that is free now: both go on
//                             through their memory, as a sweep that thrashes does.
// floor fill BYTES REPEATS    memset of BYTES.
// floor gather BYTES REPEATS  Loads a u64 from each of BYTES / 8 random places. The loads are independent.
#include "twin.h"

enum { PAGE_SIZE = 4096 };

static u8 *from, *to;
static u32 *order;
static size_t bytes, repeats;

static u64 copy(u32 *hash) {
  u64 t = now();
  for (size_t i = 0; i < repeats; i++) {
    memcpy(to, from, bytes);
    from[i % bytes]++;
  }
  t = now() - t;
  *hash = hash_word(*hash, to[bytes - 1]);
  return t;
}

static u64 alone(u32 *hash) {
  u64 sum = 0;
  for (size_t i = 0; i < repeats; i++) {
    for (size_t at = 0; at < bytes; at += PAGE_SIZE) {
      u64 t = now();
      memcpy(to + at, from + at, PAGE_SIZE);
      u64 end = now();
      sum += end - t;
      while (now() - end < 1500) continue;
    }
    from[i % bytes]++;
  }
  *hash = hash_word(*hash, to[bytes - 1]);
  return sum;
}

static u64 exchange(u32 *hash) {
  static size_t at, spare;
  const size_t cluster = 16 * PAGE_SIZE;
  u64 t = now();
  for (size_t i = 0; i < repeats; i++) {
    memcpy(to + spare, from + at, cluster);
    spare = (spare + cluster) % (bytes + cluster);
    memcpy(from + at, to + spare, cluster);
    at = (at + cluster) % bytes;
  }
  t = now() - t;
  *hash = hash_word(*hash, from[at]);
  return t;
}

static u64 fill(u32 *hash) {
  u64 t = now();
  for (size_t i = 0; i < repeats; i++) memset(to, (int)i, bytes);
  t = now() - t;
  *hash = hash_word(*hash, to[bytes - 1]);
  return t;
}

static u64 gather(u32 *hash) {
  u64 sum = 0, t = now();
  for (size_t r = 0; r < repeats; r++)
    for (size_t i = 0; i < bytes / 8; i++) sum += ((u64 *)from)[order[i]];
  t = now() - t;
  *hash = hash_word(*hash, (u32)sum);
  return t;
}

int main(int argc, char **argv) {
  if (argc != 4) fail("floor copy|alone|exchange|fill|gather BYTES REPEATS");
  bytes = number(argc, argv, 2);
  repeats = number(argc, argv, 3);
  from = memory(bytes);
  to = memory(bytes + 16 * PAGE_SIZE);
  if (!strcmp(argv[1], "copy")) serve(copy);
  else if (!strcmp(argv[1], "alone")) serve(alone);
  else if (!strcmp(argv[1], "exchange")) serve(exchange);
  else if (!strcmp(argv[1], "fill")) serve(fill);
  else if (strcmp(argv[1], "gather")) fail("floor: unknown work");
  order = memory(bytes / 8 * sizeof *order);
  for (size_t i = 0; i < bytes / 8; i++) order[i] = (u32)i;
  u64 state = 88172645463325252ull;
  for (size_t i = bytes / 8 - 1; i > 0; i--) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    size_t j = state % (i + 1);
    u32 swap = order[i];
    order[i] = order[j];
    order[j] = swap;
  }
  serve(gather);
}
