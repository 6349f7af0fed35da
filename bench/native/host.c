// The host's kernel does the same with 4 KiB pages of its own. It takes a trap for each page, flushes TLBs,
// and more.
//
// host populate BYTES  Maps BYTES, populates them in one call (measured), and unmaps.
// host populate-huge BYTES  The same with transparent huge pages.
// host fork BYTES      Forks with BYTES populated, then writes a word to each page in the child (measured).
// host mprotect BYTES  Changes BYTES that are populated to PROT_READ (measured), and back.
// host munmap BYTES    Unmaps BYTES that are populated (measured).
#include "twin.h"
#include <sys/wait.h>
#include <unistd.h>

#define PAGE_SIZE 4096u
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static size_t bytes;
static u8 *kept;

static u8 *map_with(int pages) {
  u8 *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) fail("out of memory");
  madvise(p, bytes, pages);
  return p;
}

static u8 *map(void) {
  return map_with(MADV_NOHUGEPAGE);
}

static void touch(u8 *p) {
  for (size_t i = 0; i < bytes; i += PAGE_SIZE) *(volatile u32 *)(p + i) = 1;
}

/** Kernels before 5.14 do not have MADV_POPULATE_WRITE: a word is written to each page instead. */
static u64 populate_pages(u8 *p, u32 *hash) {
  u64 t = now();
  if (madvise(p, bytes, MADV_POPULATE_WRITE)) touch(p);
  t = now() - t;
  for (size_t i = 0; i < bytes; i += PAGE_SIZE) *hash = hash_word(*hash, *(u32 *)(p + i));
  munmap(p, bytes);
  return t;
}

static u64 populate(u32 *hash) {
  return populate_pages(map(), hash);
}

static u64 populate_huge(u32 *hash) {
  return populate_pages(map_with(MADV_HUGEPAGE), hash);
}

/** The child reports when it has finished. Both processes read the same clock. */
static u64 fork_and_write(u32 *hash) {
  int ends[2];
  u64 done = 0;
  touch(kept);
  if (pipe(ends)) fail("pipe failed");
  u64 t = now();
  pid_t child = fork();
  if (child < 0) fail("fork failed");
  if (!child) {
    touch(kept);
    done = now();
    _exit(write(ends[1], &done, sizeof done) != sizeof done);
  }
  if (read(ends[0], &done, sizeof done) != sizeof done) fail("the child reported nothing");
  waitpid(child, NULL, 0);
  close(ends[0]);
  close(ends[1]);
  *hash = hash_word(*hash, *(u32 *)kept);
  return done - t;
}

static u64 protect(u32 *hash) {
  touch(kept);
  u64 t = now();
  if (mprotect(kept, bytes, PROT_READ)) fail("mprotect failed");
  t = now() - t;
  *hash = hash_word(*hash, *(u32 *)kept);
  mprotect(kept, bytes, PROT_READ | PROT_WRITE);
  return t;
}

static u64 unmap(u32 *hash) {
  u8 *p = map();
  touch(p);
  *hash = hash_word(*hash, *(u32 *)p);
  u64 t = now();
  if (munmap(p, bytes)) fail("munmap failed");
  return now() - t;
}

int main(int argc, char **argv) {
  if (argc < 3) fail("host populate|populate-huge|fork|mprotect|munmap BYTES");
  bytes = number(argc, argv, 2);
  if (!strcmp(argv[1], "populate")) serve(populate);
  else if (!strcmp(argv[1], "populate-huge")) serve(populate_huge);
  else if (!strcmp(argv[1], "munmap")) serve(unmap);
  else {
    kept = map();
    touch(kept);
    serve(!strcmp(argv[1], "fork") ? fork_and_write : protect);
  }
}
