// The host's kernel doing the same with 4 KiB pages of its own: it takes a trap for each page, and more.
// host populate BYTES: maps BYTES, writes a word to each page (measured), unmaps.
#include "twin.h"

#define PAGE_SIZE 4096u

static size_t bytes;

static u64 populate(u32 *hash) {
  u8 *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) fail("out of memory");
  madvise(p, bytes, MADV_NOHUGEPAGE);
  u64 t = now();
  for (size_t i = 0; i < bytes; i += PAGE_SIZE) *(volatile u32 *)(p + i) = 1;
  t = now() - t;
  for (size_t i = 0; i < bytes; i += PAGE_SIZE) *hash = hash_word(*hash, *(u32 *)(p + i));
  munmap(p, bytes);
  return t;
}

int main(int argc, char **argv) {
  if (argc < 3) fail("host populate BYTES");
  bytes = number(argc, argv, 2);
  if (strcmp(argv[1], "populate")) fail("host: unknown work");
  serve(populate);
}
