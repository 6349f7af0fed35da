// What the native programs share: clock, hash, memory, and the protocol.
//
// A program takes the sizes of its work as arguments. It sets everything up, touches its memory, and prints
// "ready". Each line on stdin then starts one repetition, after which the program prints "NS HASH": the time
// of the measured part alone and a hash of what it computed. The program ends at the end of stdin.
#ifndef TWIN_H
#define TWIN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

_Noreturn static inline void fail(const char *message) {
  fprintf(stderr, "%s\n", message);
  exit(1);
}

static inline u64 now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

/**
 * Returns zeroed memory whose pages have all been touched, so that no host page fault falls into the measured
 * part.
 */
static inline void *memory(size_t bytes) {
  void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) fail("out of memory");
  for (size_t i = 0; i < bytes; i += 4096) ((volatile u8 *)p)[i] = 0;
  return p;
}

#define HASH_SEED 0x811c9dc5u

static inline u32 hash_word(u32 hash, u32 word) { return (hash ^ word) * 0x01000193u; }

static inline u32 hash_words(u32 hash, const u32 *words, size_t n) {
  for (size_t i = 0; i < n; i++) hash = hash_word(hash, words[i]);
  return hash;
}

static inline u64 number(int argc, char **argv, int i) {
  if (i >= argc) fail("an argument is missing");
  return strtoull(argv[i], NULL, 0);
}

/** Reads a whole file into touched memory and stores its length in *bytes. */
static inline void *read_file(const char *path, size_t *bytes) {
  FILE *file = fopen(path, "rb");
  if (!file) fail("cannot open the input file");
  fseek(file, 0, SEEK_END);
  *bytes = (size_t)ftell(file);
  rewind(file);
  void *p = memory(*bytes);
  if (fread(p, 1, *bytes, file) != *bytes) fail("cannot read the input file");
  fclose(file);
  return p;
}

/** One repetition. Returns the nanoseconds of its measured part and adds its result to *hash. */
typedef u64 repetition(u32 *hash);

static inline void serve(repetition *repeat) {
  char line[64];
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    u32 hash = HASH_SEED;
    u64 ns = repeat(&hash);
    printf("%llu %u\n", (unsigned long long)ns, hash);
    fflush(stdout);
  }
}

#endif
