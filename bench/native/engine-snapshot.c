// P14: memcpy of as many bytes as a snapshot has.
//
// engine-snapshot BYTES PAGES [fresh]: the last PAGES pages of the source are numbered. The destination is
// memory that was touched before; with `fresh` each repetition maps new memory.
#include "twin.h"

#define PAGE_SIZE 4096u

static u8 *from, *to;
static size_t bytes, pages;
static bool fresh;

static inline size_t offset_of(size_t page) { return (bytes / PAGE_SIZE - pages + page) * PAGE_SIZE; }

static u64 repeat(u32 *hash) {
  u8 *target = to;
  u64 t = now();
  if (fresh) target = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (target == MAP_FAILED) fail("out of memory");
  memcpy(target, from, bytes);
  t = now() - t;
  for (size_t i = 0; i < pages; i++) *hash = hash_word(*hash, *(u32 *)(target + offset_of(i)));
  if (fresh) munmap(target, bytes);
  return t;
}

int main(int argc, char **argv) {
  bytes = number(argc, argv, 1);
  pages = number(argc, argv, 2);
  fresh = argc > 3;
  from = memory(bytes);
  if (!fresh) to = memory(bytes);
  for (size_t i = 0; i < pages; i++) *(u32 *)(from + offset_of(i)) = (u32)i + 1;
  serve(repeat);
}
