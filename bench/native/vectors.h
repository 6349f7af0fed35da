// What the rivals that use AVX2 or non-temporal stores by hand share. HAS_VECTORS is undefined on processors
// of other kinds than x86-64; native.ts leaves such rivals out where the processor lacks AVX2.
#ifndef VECTORS_H
#define VECTORS_H

#include "twin.h"

#ifdef __x86_64__
#include <immintrin.h>

#define HAS_VECTORS
#define AVX2 __attribute__((target("avx2")))

/** Copies, or zeroes, a page of 4 KiB past the caches. end_stream() must follow the last of them. */
AVX2 static inline void stream_page(void *restrict to, const void *restrict from) {
  __m256i *out = to;
  const __m256i *in = from;
  for (int i = 0; i < 128; i += 4) {
    __m256i a = _mm256_load_si256(in + i), b = _mm256_load_si256(in + i + 1);
    __m256i c = _mm256_load_si256(in + i + 2), d = _mm256_load_si256(in + i + 3);
    _mm256_stream_si256(out + i, a);
    _mm256_stream_si256(out + i + 1, b);
    _mm256_stream_si256(out + i + 2, c);
    _mm256_stream_si256(out + i + 3, d);
  }
}

AVX2 static inline void stream_zeros(void *to) {
  __m256i *out = to;
  for (int i = 0; i < 128; i++) _mm256_stream_si256(out + i, _mm256_setzero_si256());
}

static inline void end_stream(void) { _mm_sfence(); }
#else
static inline void stream_page(void *to, const void *from) { memcpy(to, from, 4096); }
static inline void stream_zeros(void *to) { memset(to, 0, 4096); }
static inline void end_stream(void) {}
#endif

/** As memory(), in huge pages of the host where it has them. */
static inline void *huge_memory(size_t bytes) {
  const size_t huge = (size_t)1 << 21;
  u8 *p = mmap(NULL, bytes + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) fail("out of memory");
  p += -(uintptr_t)p & (huge - 1);
  (void)madvise(p, bytes, MADV_HUGEPAGE); // fails where the host has no huge pages
  for (size_t i = 0; i < bytes; i += 4096) ((volatile u8 *)p)[i] = 0;
  return p;
}

#endif
