// P15: text of valgrind's lackey, read from its file.
//
// trace-text lines FILE: counts the lines. trace-text records FILE: decodes the accesses to records of 16
// bytes (assembly/abi/record.ts), as the CPU's. FILE is one that lackey wrote: `I`, `L`, `S`, `M` and `==`
// lines, addresses below 2^47, and no access at a larger size than a record has.
#define _GNU_SOURCE
#include "twin.h"
#include <fcntl.h>
#include <unistd.h>

#define CHUNK (1u << 18)
#define CARRY 4096u // bytes before a chunk, for the line that the chunk before ended in

struct record {
  u64 where;
  u32 how, id;
};

static const char *path;
static u8 *buffer; // CARRY bytes, a chunk, and a newline after it
static struct record *records;
static u64 lines;
static u32 instruction;

static u64 count_lines(const u8 *text, size_t n) {
  u64 sum = 0;
  while (n) {
    size_t part = n < 255 * 64 ? n : 255 * 64;
    u64 found = 0;
    for (size_t i = 0; i < part; i++) found += text[i] == '\n';
    sum += found;
    text += part;
    n -= part;
  }
  return sum;
}

static inline u32 digit(u8 c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

/** Decodes one line. Returns the first byte after it, and adds its record, if it gives one. */
static inline const u8 *decode_line(const u8 *at, struct record **out) {
  lines++;
  if (*at == '=') return (const u8 *)memchr(at, '\n', CHUNK) + 1;
  u8 kind = at[0] == ' ' ? at[1] : at[0];
  at += 3;
  u64 address = 0, size = 0;
  for (; *at != ','; at++) address = address << 4 | digit(*at);
  for (at++; *at != '\n'; at++) size = size * 10 + digit(*at);
  if (kind == 'I') instruction = (u32)address;
  else *(*out)++ = (struct record){size << 48 | address, kind == 'L' ? 0 : kind == 'S' ? 1 : 2, instruction};
  return at + 1;
}

/** Decodes all whole lines of [at, end). Returns where the rest begins. */
static const u8 *decode(const u8 *at, const u8 *end, struct record **out) {
  const u8 *last = memrchr(at, '\n', (size_t)(end - at));
  if (!last) return at;
  while (at <= last) at = decode_line(at, out);
  return at;
}

/** Reads the file chunk by chunk, and counts or decodes. Hashes the records if `hash` is not NULL. */
static void read_all(bool decodes, u32 *hash) {
  int file = open(path, O_RDONLY);
  if (file < 0) fail("cannot open the input file");
  lines = instruction = 0;
  u8 *chunk = buffer + CARRY;
  size_t carried = 0;
  for (ssize_t n; (n = read(file, chunk, CHUNK)) > 0;) {
    if (!decodes) {
      lines += count_lines(chunk, (size_t)n);
      continue;
    }
    struct record *out = records;
    const u8 *end = chunk + n, *rest = decode(chunk - carried, end, &out);
    carried = (size_t)(end - rest);
    if (carried > CARRY) fail("a line is too long");
    memcpy(chunk - carried, rest, carried);
    if (hash) *hash = hash_words(*hash, (const u32 *)records, (size_t)(out - records) * 4);
  }
  close(file);
}

static u64 repeat_lines(u32 *hash) {
  u64 t = now();
  read_all(false, NULL);
  t = now() - t;
  *hash = (u32)lines;
  return t;
}

/** The second pass, which is not measured, hashes every record. */
static u64 repeat_records(u32 *hash) {
  u64 t = now();
  read_all(true, NULL);
  t = now() - t;
  read_all(true, hash);
  *hash = hash_word(*hash, (u32)lines);
  return t;
}

int main(int argc, char **argv) {
  if (argc < 3) fail("trace-text lines|records FILE");
  path = argv[2];
  buffer = memory(CARRY + CHUNK + 64);
  records = memory(CHUNK / 6 * sizeof *records + 4096);
  serve(!strcmp(argv[1], "records") ? repeat_records : repeat_lines);
}
