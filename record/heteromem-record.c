/*
 * Records the memory accesses of a program as a .hmt trace (docs/hmt.md). docs/record.md says how to use it.
 *
 * gcc and clang with -fsanitize=thread call a hook at each load and store of the code that they compile. This
 * file has the hooks; linked in place of the sanitizer's runtime, it stores each access in a buffer of the
 * thread. A full buffer becomes one block of the trace, in one write(): what is written survives whatever
 * ends the program.
 *
 * Rules that keep this code from disturbing the program: hooks allocate nothing and call nothing of the C
 * library but system calls; `busy` marks a thread that is inside of this file, so that a signal handler which
 * interrupts it records nothing (its accesses are counted as lost) and a signal that ends the program waits
 * for the hook to end; whoever ends the process waits a bounded time for a lock.
 */
#define _GNU_SOURCE
#include "heteromem-record.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef HETEROMEM_ZSTD
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#endif

#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define INSTRUMENTED_ITSELF
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(INSTRUMENTED_ITSELF)
#error "compile heteromem-record.c without -fsanitize=thread: its hooks would call themselves"
#endif
#if !defined(__linux__) || !defined(__LP64__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "heteromem-record.c needs Linux on a 64-bit little-endian processor"
#endif
#ifdef HETEROMEM_OFF
#error "heteromem-record.c is the recorder: with HETEROMEM_OFF, leave it out"
#endif

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define WEAK __attribute__((weak))
#define COLD __attribute__((cold, noinline))
#define CALLER ((u64)__builtin_return_address(0))
#define BARRIER() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/* Of the format. */
#define MAGIC "\x89HMT\r\n\x1a\n"
#define VERSION 1
#define MARK 0x42544d48 /* "HMTB" */
#define HEADER_BYTES 24
enum { BLOCK_DEFINITIONS = 1, BLOCK_RECORDS = 2, BLOCK_END = 3 };
enum { CODEC_PLAIN = 0, CODEC_ZSTD = 1 };
enum { DEFINE_PROGRAM = 1, DEFINE_RECORDER = 2, DEFINE_MODULE = 3, DEFINE_NAME = 4, DEFINE_THREAD = 5 };
enum { LOAD = 0, STORE = 1, MODIFY = 2, ATOMIC = 4, BULK = 8 };
enum {
	DEVICE_BEGIN = 16,
	DEVICE_END = 17,
	RANGE = 18,
	RANGE_END = 19,
	ADVISE = 20,
	PREFETCH = 21,
	THREAD_START = 22,
	THREAD_END = 23,
};
enum { FORM_EVENT = 7, FORM_PREVIOUS = 8, FORM_SET = 16, FORM_SCALED = 32, FORM_NAMED = 64 };
enum { FORM_PREDICTED = 128 };
#define NO_DEVICE 0xffff
#define NO_THREAD 0xffff

#define ADDRESS_BITS 48
#define ADDRESS_MASK ((1ull << ADDRESS_BITS) - 1)
#define DEVICES 254

/* Records and events that a thread collects for a block; bounds of the tables. */
#define RECORDS 16384
#define EVENTS 256
#define AGENT_DEPTH 16
#define ENCODERS 8
#define HASH_SIZE (2 * RECORDS)
#define MODULES 256
#define NAMES 8192
#define NAME_BYTES (1 << 20)
#define NAME_LENGTH 1000
#define DEVICE_RANGES 1024
#define PARALLEL_ARGUMENTS 32
/* memcpy and its like are recorded in pieces of this size, so that a piece touches two pages at most. */
#define PIECE 4096
/* From this size on, blocks of malloc are named. */
#define BLOCK_BYTES_DEFAULT 4096
/* How long the end of the process waits for a lock that another thread holds. */
#define END_WAIT_MS 5000

/* An access as a hook stores it: address and size; then pc, kind and agent. */
struct raw {
	u64 where;
	u64 what;
};
#define KIND_SHIFT 48
#define AGENT_SHIFT 56
#define PC_MASK ADDRESS_MASK

struct event {
	u8 kind, advice;
	u16 device;
	u32 name;
	u64 address, bytes;
};

struct thread {
	volatile int busy;		/* this thread is inside of the recorder */
	volatile sig_atomic_t pending;	/* the signal that ends the process once it is not */
	u32 count, event_count;
	u64 agent;			/* shifted to its place in raw.what */
	u64 lost;
	u16 id, parent;
	int lock;			/* buffer and counts, against the end of the process */
	int used;			/* 0: a thread that ended left it for the next one */
	int defined;
	struct thread *next;
	int depth;			/* of the sections below */
	u64 outer[AGENT_DEPTH];		/* the agents outside of them */
	int calls;			/* calls below the device function that opened a section; 0: none did */
	u64 frame;
	struct event events[EVENTS];
	struct raw records[RECORDS];
};

/* An instruction that accesses memory, as encoder and decoder know it within a block. */
struct site {
	u64 what, last;
	i64 delta, seen_stride, seen_chain;
	struct site *next;
	u16 size;
	u8 shift, previous, times;
} __attribute__((aligned(64)));

struct encoder {
	int lock;
	u32 generation, sites, tokens, events;
	u32 hash[HASH_SIZE]; /* generation << 16 | site */
	struct site site[RECORDS + 1];
	u8 forms[RECORDS], runs[3 * RECORDS], literals[6 * RECORDS + 8];
	u16 refs[RECORDS];
	u32 run_bytes, ref_count, literal_bytes;
	u8 out[HEADER_BYTES + RECORDS * 24 + EVENTS * sizeof(struct event)];
#ifdef HETEROMEM_ZSTD
	u8 packed[HEADER_BYTES + RECORDS * 24];
	ZSTD_CCtx *zstd;
#endif
};

struct module {
	u64 start, end, link;
	u32 code;
	int instrumented;
	char path[512];
};

struct name {
	const char *text;
	u32 length;
	u64 pc; /* of the call site that it names, or 0 */
};

static __thread struct thread *self __attribute__((tls_model("initial-exec")));
static struct thread *threads;
static u32 next_thread;
static struct encoder *encoders;
static struct module modules[MODULES];
static u32 module_count;
static struct name names[NAMES];
static u32 name_count = 1; /* 0: no name */
static char *name_text;
static u32 name_bytes, names_full;
static int table_lock; /* modules and names */
static int file_lock;
static struct {
	int fd;
	int opened;
	char path[4096];
	u32 names, modules; /* that the file has */
	u64 records, events, lost;
	u8 buffer[HEADER_BYTES + 65536];
	u32 used;
} file = { .fd = -1 };
static struct {
	u64 start, end;
	u32 name;
} device_ranges[DEVICE_RANGES];
static u32 device_range_count;
static const char *symbol_names;
static const Elf64_Sym *symbols;
static u32 symbol_count;
static u64 block_bytes = BLOCK_BYTES_DEFAULT;
static pthread_key_t key;
static int ready;    /* 1: recording, or about to */
static int starting; /* init() has begun */
static int stopping; /* the end has begun: what comes now is dropped */
static int stopped;  /* … and is over */
static pid_t owner;  /* the process that records: a child of vfork() has its memory, but is another one */

/* ---- messages, locks, memory --------------------------------------------------------------------------- */

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
	char text[1024] = "heteromem-record: ";
	size_t at = strlen(text);
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text + at, sizeof text - at - 1, format, args);
	va_end(args);
	at += n < 0 ? 0 : (size_t)n < sizeof text - at - 1 ? (size_t)n : sizeof text - at - 2;
	text[at++] = '\n';
	if (write(2, text, at) < 0)
		return; /* there is nobody to tell */
}

static void leave(int code)
{
	for (;;)
		syscall(SYS_exit_group, code);
}

static void lock(int *l)
{
	while (__atomic_exchange_n(l, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void unlock(int *l)
{
	__atomic_store_n(l, 0, __ATOMIC_RELEASE);
}

/* For the end of the process: whoever holds the lock may have been interrupted for good. */
static int lock_in_time(int *l)
{
	for (int ms = 0; __atomic_exchange_n(l, 1, __ATOMIC_ACQUIRE); ms++) {
		struct timespec wait = { 0, 1000000 };

		if (ms >= END_WAIT_MS)
			return 0;
		nanosleep(&wait, NULL);
	}
	return 1;
}

static void *map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		complain("no memory for a buffer of %zu bytes", bytes);
		leave(2);
	}
	return p;
}

/*
 * memcpy, memmove and memset are replaced for the whole program, so this file has its own. The empty
 * statement keeps the compiler from making a call of them out of the loop.
 */
struct __attribute__((packed, may_alias)) word {
	u64 a, b;
};

static void copy(void *to, const void *from, size_t n)
{
	u8 *d = to;
	const u8 *s = from;

	if ((u64)d - (u64)s >= n) {
#ifdef __x86_64__
		if (n >= 512) {
			__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n)::"memory");
			return;
		}
#endif
		for (; n >= 16; n -= 16, d += 16, s += 16) {
			*(struct word *)d = *(const struct word *)s;
			__asm__ volatile("" ::: "memory");
		}
		for (; n > 0; n--) {
			*d++ = *s++;
			__asm__ volatile("" ::: "memory");
		}
		return;
	}
	for (; n >= 16; n -= 16) {
		*(struct word *)(d + n - 16) = *(const struct word *)(s + n - 16);
		__asm__ volatile("" ::: "memory");
	}
	for (; n > 0; n--) {
		d[n - 1] = s[n - 1];
		__asm__ volatile("" ::: "memory");
	}
}

static void set(void *to, int c, size_t n)
{
	u8 *d = to;
	struct word w;

	w.a = w.b = 0x0101010101010101ull * (u8)c;
	for (; n >= 16; n -= 16, d += 16) {
		*(struct word *)d = w;
		__asm__ volatile("" ::: "memory");
	}
	for (; n > 0; n--) {
		*d++ = (u8)c;
		__asm__ volatile("" ::: "memory");
	}
}

/* ---- the file ------------------------------------------------------------------------------------------ */

static u32 load32(const u8 *p)
{
	u32 v;

	__builtin_memcpy(&v, p, 4);
	return v;
}

static u8 *put(u8 *p, u64 value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		*p++ = (u8)(value >> 8 * i);
	return p;
}

static u32 rotate(u32 x, int n)
{
	return x << n | x >> (32 - n);
}

/* XXH32 with seed 0. */
static u32 checksum(const u8 *p, size_t n)
{
	const u32 p1 = 2654435761u, p2 = 2246822519u, p3 = 3266489917u, p4 = 668265263u, p5 = 374761393u;
	u32 lane[4] = { p1 + p2, p2, 0, 0 - p1 };
	u32 h = p5;
	size_t left = n;

	if (n >= 16) {
		for (; left >= 16; left -= 16, p += 16)
			for (int i = 0; i < 4; i++)
				lane[i] = rotate(lane[i] + load32(p + 4 * i) * p2, 13) * p1;
		h = rotate(lane[0], 1) + rotate(lane[1], 7) + rotate(lane[2], 12) + rotate(lane[3], 18);
	}
	h += (u32)n;
	for (; left >= 4; left -= 4, p += 4)
		h = rotate(h + load32(p) * p3, 17) * p4;
	for (; left > 0; left--, p++)
		h = rotate(h + *p * p5, 11) * p1;
	h = (h ^ h >> 15) * p2;
	h = (h ^ h >> 13) * p3;
	return h ^ h >> 16;
}

/* Writes all of it, or ends the recording. */
static void write_all(const u8 *p, size_t n)
{
	while (n > 0 && file.fd >= 0) {
		ssize_t done = write(file.fd, p, n);

		if (done >= 0) {
			p += done;
			n -= (size_t)done;
		} else if (errno != EINTR) {
			complain("%s: %s; the trace ends here", file.path, strerror(errno));
			close(file.fd);
			file.fd = -1;
		}
	}
}

/*
 * Fills in the header at `block`, whose payload is behind it already, and writes the block. file_lock is
 * held.
 */
static void write_block(u8 *block, int type, int codec, u32 thread, u32 stored, u32 plain, u32 records)
{
	u8 *p = put(block, MARK, 4) + 4;

	p = put(p, type, 1);
	p = put(p, codec, 1);
	p = put(p, thread, 2);
	p = put(p, stored, 4);
	p = put(p, plain, 4);
	put(p, records, 4);
	put(block + 4, checksum(block + 8, HEADER_BYTES - 8 + stored), 4);
	write_all(block, HEADER_BYTES + stored);
}

static void write_definitions(void)
{
	if (file.used > 0)
		write_block(file.buffer, BLOCK_DEFINITIONS, CODEC_PLAIN, 0, file.used, file.used, 0);
	file.used = 0;
}

/* Appends a definition: `n` bytes at `head`, then `length` of `text`. */
static void define(int tag, const u8 *head, u32 n, const char *text, u32 length)
{
	u8 *p;

	if (file.used + 4 + n + length > sizeof file.buffer - HEADER_BYTES)
		write_definitions();
	p = put(put(file.buffer + HEADER_BYTES + file.used, tag, 2), n + length, 2);
	copy(p, head, n);
	copy(p + n, text, length);
	file.used += 4 + n + length;
}

/* The command as it was given, arguments apart by spaces. */
static void define_program(void)
{
	char text[4096];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);

	if (fd >= 0)
		close(fd);
	while (n > 0 && text[n - 1] == 0)
		n--;
	for (ssize_t i = 0; i < n; i++)
		if (text[i] == 0)
			text[i] = ' ';
	define(DEFINE_PROGRAM, NULL, 0, text, n < 0 ? 0 : (u32)n);
}

/* Modules and names that the file does not have. file_lock is held. */
static void define_new(void)
{
	u32 modules_now = __atomic_load_n(&module_count, __ATOMIC_ACQUIRE);
	u32 names_now = __atomic_load_n(&name_count, __ATOMIC_ACQUIRE);
	u8 head[24];

	for (; file.modules < modules_now; file.modules++) {
		struct module *m = &modules[file.modules];

		put(put(put(put(head, m->code, 4), m->end - m->start, 4), m->start, 8), m->link, 8);
		define(DEFINE_MODULE, head, 24, m->path, (u32)strlen(m->path));
	}
	if (file.names == 0)
		file.names = 1;
	for (; file.names < names_now; file.names++) {
		put(head, file.names, 4);
		define(DEFINE_NAME, head, 4, names[file.names].text, names[file.names].length);
	}
}

/*
 * Opens the file, with another name if a process that lives writes to it (a program that runs itself, say).
 */
static int open_file(void)
{
	struct stat status;
	int fd = open(file.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666), high;

	if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
		if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
			size_t n = strlen(file.path);

			close(fd);
			snprintf(file.path + n, sizeof file.path - n, ".%d", (int)getpid());
			fd = open(file.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		} else if (ftruncate(fd, 0) < 0) {
			close(fd);
			fd = -1;
		}
	}
	if (fd < 0) {
		complain("cannot write the trace to %s: %s", file.path, strerror(errno));
		return 0;
	}
	/* Out of the way of programs that close or reuse low descriptors. */
	high = fcntl(fd, F_DUPFD_CLOEXEC, 900);
	if (high >= 0)
		close(fd);
	file.fd = high >= 0 ? high : fd;
	return 1;
}

/* Opens the file if that has not been done, and writes what stands at its beginning. file_lock is held. */
static int start_file(void)
{
	u8 head[16];
	static const char recorder[] = "heteromem-record 1, " __VERSION__;

	if (file.opened)
		return file.fd >= 0;
	file.opened = 1;
	if (!open_file())
		return 0;
	copy(head, MAGIC, 8);
	put(put(head + 8, VERSION, 4), 0, 4);
	write_all(head, sizeof head);
	define_program();
	define(DEFINE_RECORDER, NULL, 0, recorder, sizeof recorder - 1);
	define_new();
	write_definitions();
	return 1;
}

/* ---- blocks -------------------------------------------------------------------------------------------- */

static u32 code_of(u64 pc)
{
	u32 n = __atomic_load_n(&module_count, __ATOMIC_ACQUIRE);

	for (u32 i = 0; i < n; i++)
		if (pc - modules[i].start < modules[i].end - modules[i].start)
			return (u32)(pc - modules[i].start) + modules[i].code;
	return 0;
}

static i64 signed_address(u64 x)
{
	return (i64)(x << (64 - ADDRESS_BITS)) >> (64 - ADDRESS_BITS);
}

static int literal_length(i64 v)
{
	u64 magnitude = (u64)(v ^ v >> 63);

	return v == 0 ? 0 : (64 - (magnitude ? __builtin_clzll(magnitude) : 64)) / 8 + 1;
}

static void put_run(struct encoder *e, u32 run)
{
	for (; run >= 128; run >>= 7)
		e->runs[e->run_bytes++] = (u8)(run | 128);
	e->runs[e->run_bytes++] = (u8)run;
}

static void put_token(struct encoder *e, u32 run, u32 form)
{
	put_run(e, run);
	e->forms[e->tokens++] = (u8)form;
}

static struct site *site_of(struct encoder *e, u64 what, u16 size)
{
	u64 h = (what ^ (u64)size << 40) * 0x9e3779b97f4a7c15ull;
	u32 at = (u32)(h >> 40) & (HASH_SIZE - 1);
	struct site *s;

	for (; e->hash[at] >> 16 == e->generation; at = (at + 1) & (HASH_SIZE - 1)) {
		s = &e->site[e->hash[at] & 0xffff];
		if (s->what == what && s->size == size)
			return s;
	}
	s = &e->site[e->sites];
	*s = (struct site){ .what = what, .size = size, .next = s + 1, .shift = (u8)__builtin_ctz(size) };
	e->hash[at] = e->generation << 16 | e->sites++;
	return s;
}

/*
 * The address is not where the site was expected to go: says where it went, and what to expect from now on.
 */
static u32 put_address(struct encoder *e, struct site *s, i64 stride, i64 chain)
{
	u32 form = 0;
	i64 v = stride;
	int length;

	if (s->times > 0 && chain == s->seen_chain) {
		form = FORM_SET | FORM_PREVIOUS;
	} else if (s->times > 0 && (stride == s->seen_stride || s->times == 1)) {
		form = FORM_SET;
	} else if (literal_length(chain) < literal_length(stride)) {
		form = FORM_PREVIOUS;
	}
	if (form & FORM_PREVIOUS)
		v = chain;
	if (form & FORM_SET) {
		s->delta = v;
		s->previous = form & FORM_PREVIOUS ? 1 : 0;
	}
	if (s->shift > 0 && v != 0 && (v & ((1ll << s->shift) - 1)) == 0) {
		form |= FORM_SCALED;
		v >>= s->shift;
	}
	length = literal_length(v);
	put(e->literals + e->literal_bytes, (u64)v, length);
	e->literal_bytes += (u32)length;
	return form | (u32)length;
}

static void encode_records(struct encoder *e, const struct raw *r, u32 count)
{
	u32 run = 0, form;
	u64 previous = 0;
	struct site *current = NULL, *expected = e->site;

	for (u32 i = 0; i < count; i++, r++) {
		u64 address = r->where & ADDRESS_MASK;
		u16 size = (u16)(r->where >> ADDRESS_BITS);
		i64 stride, chain;
		struct site *s = expected;
		int predicted;

		form = 0;
		if (UNLIKELY(s->what != r->what || s->size != size || s >= e->site + e->sites)) {
			if ((r->what >> KIND_SHIFT & 0xff) >= DEVICE_BEGIN) {
				put_token(e, run, FORM_EVENT);
				e->events++;
				run = 0;
				continue;
			}
			s = site_of(e, r->what, size);
			if (s != expected) {
				form = FORM_NAMED;
				e->refs[e->ref_count++] = (u16)(s - e->site);
				if (current)
					current->next = s;
			}
		}
		stride = signed_address(address - s->last);
		chain = signed_address(address - previous);
		predicted = (s->previous ? chain : stride) == s->delta;
		if (LIKELY(predicted && form == 0)) {
			run++;
		} else {
			form |= predicted ? FORM_PREDICTED : put_address(e, s, stride, chain);
			put_token(e, run, form);
			run = 0;
		}
		if (s->times < 2)
			s->times++;
		s->seen_stride = stride;
		s->seen_chain = chain;
		s->last = previous = address;
		current = s;
		expected = s->next;
	}
}

/* The block's payload behind the header in e->out; returns its length. */
static u32 encode(struct encoder *e, const struct thread *t, u32 count)
{
	u8 *p = e->out + HEADER_BYTES;

	e->sites = e->tokens = e->events = e->run_bytes = e->ref_count = e->literal_bytes = 0;
	if (++e->generation > 0xffff) {
		set(e->hash, 0, sizeof e->hash);
		e->generation = 1;
	}
	encode_records(e, t->records, count);
	p = put(put(put(p, e->sites, 4), e->events, 4), e->tokens, 4);
	p = put(put(put(p, e->run_bytes, 4), e->ref_count, 4), e->literal_bytes, 4);
	for (u32 i = 0; i < e->sites; i++) {
		u64 what = e->site[i].what;

		p = put(p, e->site[i].size, 2);
		p = put(p, what >> KIND_SHIFT, 2);
		p = put(p, code_of(what & PC_MASK), 4);
	}
	copy(p, t->events, e->events * sizeof(struct event));
	p += e->events * sizeof(struct event);
	copy(p, e->forms, e->tokens);
	p += e->tokens;
	copy(p, e->runs, e->run_bytes);
	p += e->run_bytes;
	for (u32 i = 0; i < e->ref_count; i++)
		p = put(p, e->refs[i], e->sites > 256 ? 2 : 1);
	copy(p, e->literals, e->literal_bytes);
	return (u32)(p + e->literal_bytes - e->out) - HEADER_BYTES;
}

static void write_records(struct encoder *e, struct thread *t, u32 count)
{
	u32 plain = encode(e, t, count), stored = plain;
	u8 *block = e->out, head[4];
	int codec = CODEC_PLAIN;

#ifdef HETEROMEM_ZSTD
	size_t packed = ZSTD_compressCCtx(e->zstd, e->packed + HEADER_BYTES, sizeof e->packed - HEADER_BYTES,
					  e->out + HEADER_BYTES, plain, 3);

	if (!ZSTD_isError(packed) && packed < plain) {
		block = e->packed;
		stored = (u32)packed;
		codec = CODEC_ZSTD;
	}
#endif
	lock(&file_lock);
	if (start_file()) {
		if (!t->defined) {
			put(put(head, t->id, 2), t->parent, 2);
			define(DEFINE_THREAD, head, 4, "", 0);
			t->defined = 1;
		}
		define_new();
		write_definitions();
		write_block(block, BLOCK_RECORDS, codec, t->id, stored, plain, count);
		file.records += count - e->events;
		file.events += e->events;
	}
	unlock(&file_lock);
}

/* Writes the thread's buffer as a block. The thread's lock is held. */
static void drain(struct thread *t)
{
	u32 count = __atomic_load_n(&t->count, __ATOMIC_ACQUIRE);

	if (count > 0) {
		u32 i = t->id % ENCODERS;

		while (__atomic_exchange_n(&encoders[i].lock, 1, __ATOMIC_ACQUIRE)) {
			i = (i + 1) % ENCODERS;
			sched_yield();
		}
		write_records(&encoders[i], t, count);
		unlock(&encoders[i].lock);
	}
	t->event_count = 0;
	__atomic_store_n(&t->count, 0, __ATOMIC_RELEASE);
}

/* For the thread itself, which is busy. */
static void flush(struct thread *t)
{
	lock(&t->lock);
	if (!__atomic_load_n(&stopping, __ATOMIC_ACQUIRE)) {
		drain(t);
	} else {
		t->event_count = 0;
		t->count = 0;
	}
	unlock(&t->lock);
}

/* ---- the end of the process ---------------------------------------------------------------------------- */

/* Writes what all threads have, and the end block. Whoever comes second waits until that is done. */
static void finish(int signal)
{
	u8 block[HEADER_BYTES + 32], *p = block + HEADER_BYTES;
	u64 lost = 0;

	if (__atomic_exchange_n(&stopping, 1, __ATOMIC_ACQ_REL)) {
		for (int ms = 0; !__atomic_load_n(&stopped, __ATOMIC_ACQUIRE) && ms < 2 * END_WAIT_MS; ms++)
			nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
		return;
	}
	for (struct thread *t = __atomic_load_n(&threads, __ATOMIC_ACQUIRE); t; t = t->next) {
		lost += t->lost;
		if (!lock_in_time(&t->lock))
			continue;
		drain(t);
		unlock(&t->lock);
	}
	if (lock_in_time(&file_lock)) {
		p = put(put(put(p, file.records, 8), file.events, 8), lost, 8);
		put(put(p, next_thread, 4), (u32)signal, 4);
		if (file.opened && file.fd >= 0) {
			write_block(block, BLOCK_END, CODEC_PLAIN, 0, 32, 32, 0);
			close(file.fd);
			file.fd = -1;
		}
		unlock(&file_lock);
	}
	__atomic_store_n(&stopped, 1, __ATOMIC_RELEASE);
}

static int is_crash(int signal)
{
	return signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL;
}

static void end_by(int number)
{
	sigset_t only;

	if (getpid() == owner)
		finish(number);
	signal(number, SIG_DFL);
	sigemptyset(&only);
	sigaddset(&only, number);
	raise(number);
	pthread_sigmask(SIG_UNBLOCK, &only, NULL);
}

static void on_signal(int number)
{
	struct thread *t = self;
	int error = errno;

	if (!t || !t->busy || __atomic_load_n(&stopped, __ATOMIC_ACQUIRE)) {
		if (t)
			t->busy = 1;
		end_by(number);
	} else if (is_crash(number)) {
		signal(number, SIG_DFL); /* the instruction runs again, and ends the process */
	} else {
		t->pending = number;
	}
	errno = error;
}

/* Signals that would end the process do so after the trace is whole; the program's own handlers stay. */
static void watch_signals(void)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	struct sigaction now, ours = { .sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK };

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
			sigaction(numbers[i], &ours, NULL);
}

__attribute__((destructor(101))) static void at_exit(void)
{
	struct thread *t = self;

	if (!ready || getpid() != owner)
		return;
	if (t)
		t->busy = 1;
	finish(0);
}

/* ---- threads ------------------------------------------------------------------------------------------- */

static void init(void);

static inline void enter(struct thread *t)
{
	t->busy = 1;
	BARRIER();
}

static inline void leave_hook(struct thread *t)
{
	BARRIER();
	t->busy = 0;
	BARRIER();
}

static inline void quit(struct thread *t)
{
	leave_hook(t);
	if (UNLIKELY(t->pending)) {
		t->busy = 1;
		end_by(t->pending);
	}
}

/* Stores a record for which there is room; the thread is busy. */
static inline void put_record(struct thread *t, u64 address, u32 size, u64 pc, u32 kind)
{
	u32 n = t->count;

	t->records[n].where = (address & ADDRESS_MASK) | (u64)size << ADDRESS_BITS;
	t->records[n].what = (pc & PC_MASK) | (u64)kind << KIND_SHIFT | t->agent;
	__atomic_store_n(&t->count, n + 1, __ATOMIC_RELEASE);
}

static inline void store(struct thread *t, u64 address, u32 size, u64 pc, u32 kind)
{
	put_record(t, address, size, pc, kind);
	if (UNLIKELY(t->count == RECORDS))
		flush(t);
}

static void store_event(struct thread *t, struct event event)
{
	if (t->event_count == EVENTS)
		flush(t);
	t->events[t->event_count++] = event;
	store(t, event.address, 0, 0, event.kind);
}

static struct thread *take_struct(void)
{
	struct thread *t;

	for (t = __atomic_load_n(&threads, __ATOMIC_ACQUIRE); t; t = t->next) {
		int unused = 0;

		if (__atomic_compare_exchange_n(&t->used, &unused, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return t;
	}
	t = map(sizeof *t);
	t->used = 1;
	t->next = __atomic_load_n(&threads, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&threads, &t->next, t, 1, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	return t;
}

/* What a thread of the program gets at its first access. Ids from 65,535 on are all that one. */
static struct thread *attach_to(u16 parent, u64 agent)
{
	struct thread *t;
	u32 id;

	if (!ready) {
		if (__atomic_load_n(&starting, __ATOMIC_ACQUIRE))
			return NULL;
		init();
		if (!ready)
			return NULL;
	}
	if (__atomic_load_n(&stopping, __ATOMIC_RELAXED))
		return NULL;
	t = take_struct();
	t->busy = 1;
	id = __atomic_fetch_add(&next_thread, 1, __ATOMIC_RELAXED);
	t->id = (u16)(id < NO_THREAD ? id : NO_THREAD - 1);
	t->parent = parent;
	t->agent = agent;
	t->pending = t->defined = t->depth = t->calls = 0;
	self = t;
	pthread_setspecific(key, t);
	store_event(t, (struct event){ .kind = THREAD_START, .device = NO_DEVICE });
	t->busy = 0;
	return t;
}

static struct thread *attach(void)
{
	return attach_to(NO_THREAD, 0);
}

static void detach(void *p)
{
	struct thread *t = p;

	enter(t);
	store_event(t, (struct event){ .kind = THREAD_END, .device = NO_DEVICE });
	flush(t);
	self = NULL;
	quit(t);
	__atomic_store_n(&t->used, 0, __ATOMIC_RELEASE);
}

/* The thread, which becomes busy; NULL if it is, or if nothing is recorded. */
static inline struct thread *begin(void)
{
	struct thread *t = self;

	if (UNLIKELY(!t)) {
		t = attach();
		if (!t)
			return NULL;
	}
	if (UNLIKELY(t->busy)) {
		t->lost++;
		return NULL;
	}
	enter(t);
	return t;
}

__attribute__((unused)) static void flush_self(void)
{
	struct thread *t = self;

	if (!t || t->busy)
		return;
	enter(t);
	flush(t);
	quit(t);
}

/* No signal handler may run between these: its hooks would wait for the locks that are held here. */
static sigset_t fork_mask;

static int forks_in_a_hook(void)
{
	return self && self->busy;
}

static void before_fork(void)
{
	sigset_t all, mask;

	if (forks_in_a_hook())
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	lock(&table_lock);
	lock(&file_lock);
	fork_mask = mask;
}

static void after_fork(void)
{
	sigset_t mask = fork_mask;

	unlock(&file_lock);
	unlock(&table_lock);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

static void after_fork_in_parent(void)
{
	if (!forks_in_a_hook())
		after_fork();
}

/*
 * The child writes a file of its own, from its first full buffer or its end on. What this thread had
 * collected before is the parent's to write. A child of a signal handler that interrupted a hook records
 * nothing: what the hook was about is half done.
 */
static void after_fork_in_child(void)
{
	size_t n = strlen(file.path);

	if (file.fd >= 0)
		close(file.fd);
	file.fd = -1;
	owner = getpid();
	for (int i = 0; i < ENCODERS; i++)
		encoders[i].lock = 0;
	if (forks_in_a_hook()) {
		file.opened = stopping = stopped = 1;
		file_lock = table_lock = 0;
		return;
	}
	file.opened = 0;
	file.used = file.names = file.modules = 0;
	file.records = file.events = 0;
	snprintf(file.path + n, sizeof file.path - n, ".%d", (int)getpid());
	for (struct thread *t = threads; t; t = t->next) {
		t->lock = t->busy = t->defined = 0;
		t->count = t->event_count = 0;
		t->lost = 0;
		t->used = t == self;
	}
	next_thread = self ? 1 : 0;
	if (self) {
		self->id = 0;
		self->parent = NO_THREAD;
	}
	stopping = stopped = 0;
	after_fork();
}

/* ---- names and symbols --------------------------------------------------------------------------------- */

static int find_module(struct dl_phdr_info *info, size_t size, void *unused)
{
	u64 start = ~0ull, end = 0, base = info->dlpi_addr;
	struct module *m = &modules[module_count];

	(void)size, (void)unused;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];

		if (h->p_type != PT_LOAD)
			continue;
		if (h->p_vaddr < start)
			start = h->p_vaddr;
		if (h->p_vaddr + h->p_memsz > end)
			end = h->p_vaddr + h->p_memsz;
	}
	start &= ~4095ull;
	end = (end + 4095) & ~4095ull;
	if (end <= start || end - start > 0x7fffffff || module_count == MODULES)
		return 0;
	for (u32 i = 0; i < module_count; i++)
		if (modules[i].start == base + start)
			return 0;
	m->start = base + start;
	m->end = base + end;
	m->link = start;
	m->instrumented = module_count == 0;
	if (module_count == 0) {
		/* The program's own code has the addresses that nm prints. */
		ssize_t n = readlink("/proc/self/exe", m->path, sizeof m->path - 1);

		m->path[n < 0 ? 0 : n] = 0;
		m->code = start + (end - start) < 0x80000000 ? (u32)start : 4096;
	} else {
		struct module *last = m - 1;
		u64 code = last->code + (last->end - last->start);

		if (code + (end - start) > 0xffffffff)
			return 0;
		m->code = (u32)code;
		snprintf(m->path, sizeof m->path, "%s", info->dlpi_name);
	}
	__atomic_store_n(&module_count, module_count + 1, __ATOMIC_RELEASE);
	return 0;
}

static int is_instrumented(u64 pc)
{
	u32 n = __atomic_load_n(&module_count, __ATOMIC_ACQUIRE);

	for (u32 i = 0; i < n; i++)
		if (pc - modules[i].start < modules[i].end - modules[i].start)
			return modules[i].instrumented;
	return 0;
}

/* Each object file that was compiled for the hooks calls __tsan_init: that is how its module is known. */
static void mark_module(u64 pc)
{
	sigset_t all, mask;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	lock(&table_lock);
	if (code_of(pc) == 0)
		dl_iterate_phdr(find_module, NULL);
	for (u32 i = 0; i < module_count; i++)
		if (pc - modules[i].start < modules[i].end - modules[i].start)
			modules[i].instrumented = 1;
	unlock(&table_lock);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

/* The symbol table of the program's file stays mapped: names are looked up in it later. */
static void load_symbols(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat status;
	const u8 *p;
	const Elf64_Ehdr *header;
	const Elf64_Shdr *sections;
	u64 bytes;

	if (fd < 0 || fstat(fd, &status) < 0)
		return;
	bytes = (u64)status.st_size;
	p = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED || bytes < sizeof *header)
		return;
	header = (const Elf64_Ehdr *)p;
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_shoff > bytes ||
	    header->e_shnum > (bytes - header->e_shoff) / sizeof *sections)
		return;
	sections = (const Elf64_Shdr *)(p + header->e_shoff);
	for (int i = 0; i < header->e_shnum; i++) {
		const Elf64_Shdr *s = &sections[i], *text = &sections[s->sh_link];

		if (s->sh_type != SHT_SYMTAB || s->sh_link >= header->e_shnum || s->sh_offset > bytes ||
		    s->sh_size > bytes - s->sh_offset || text->sh_offset > bytes ||
		    text->sh_size > bytes - text->sh_offset)
			continue;
		symbols = (const Elf64_Sym *)(p + s->sh_offset);
		symbol_names = (const char *)(p + text->sh_offset);
		symbol_count = (u32)(s->sh_size / sizeof *symbols);
	}
}

static int is_function(const Elf64_Sym *s)
{
	return ELF64_ST_TYPE(s->st_info) == STT_FUNC && s->st_shndx != SHN_UNDEF && s->st_size > 0;
}

static u64 slide(void)
{
	return modules[0].start - modules[0].link;
}

/* The id of a text in the table of names; 0 if that is full. table_lock is held. */
static u32 add_name(const char *text, u32 length, u64 pc)
{
	if (length > NAME_LENGTH)
		length = NAME_LENGTH;
	for (u32 i = 1; i < name_count; i++) {
		struct name *n = &names[i];

		if (n->pc == pc && n->length == length && memcmp(n->text, text, length) == 0)
			return i;
	}
	if (name_count == NAMES || name_bytes + length > NAME_BYTES) {
		if (!names_full)
			complain("more than %u names: further ones are left out", name_count - 1);
		names_full = 1;
		return 0;
	}
	copy(name_text + name_bytes, text, length);
	names[name_count] = (struct name){ name_text + name_bytes, length, pc };
	name_bytes += length;
	__atomic_store_n(&name_count, name_count + 1, __ATOMIC_RELEASE);
	return name_count - 1;
}

/*
 * The thread is busy, here and below: a signal handler that wants a name would wait for table_lock for ever.
 */
static u32 name_of(const char *text)
{
	u32 id;

	if (!text)
		return 0;
	lock(&table_lock);
	id = add_name(text, (u32)strlen(text), 0);
	unlock(&table_lock);
	return id;
}

/* "malloc in main+0x1c": the name of a call site. */
static u32 name_of_site(const char *allocator, u64 pc)
{
	char text[NAME_LENGTH];
	const Elf64_Sym *found = NULL;
	u32 id = 0;
	u64 at = pc - slide();

	lock(&table_lock);
	for (u32 i = 1; i < name_count && id == 0; i++)
		if (names[i].pc == pc)
			id = i;
	if (id == 0) {
		for (u32 i = 0; i < symbol_count && !found; i++)
			if (is_function(&symbols[i]) && at - symbols[i].st_value < symbols[i].st_size)
				found = &symbols[i];
		if (found)
			snprintf(text, sizeof text, "%s in %.900s+0x%llx", allocator, symbol_names + found->st_name,
				 (unsigned long long)(at - found->st_value));
		else
			snprintf(text, sizeof text, "%s at 0x%x", allocator, code_of(pc));
		id = add_name(text, (u32)strlen(text), pc);
	}
	unlock(&table_lock);
	return id;
}

/*
 * Whether a symbol is the function `name`, or a part that the compiler made of it: sweep, sweep._omp_fn.0,
 * sweep.constprop.0, and _ZN3lab5sweepEPd of C++.
 */
static int matches(const char *symbol, const char *name, size_t length)
{
	char mangled[NAME_LENGTH];
	const char *at;

	if (strncmp(symbol, name, length) == 0) {
		if (symbol[length] == 0 || symbol[length] == '.' || name[length - 1] == '.')
			return 1;
	}
	if (strncmp(symbol, "_Z", 2) != 0)
		return 0;
	snprintf(mangled, sizeof mangled, "%zu%.*s", length, (int)length, name);
	at = strstr(symbol, mangled);
	return at && (at[-1] < '0' || at[-1] > '9');
}

static int add_device_function(const char *name, size_t length)
{
	u32 before = device_range_count;

	for (u32 i = 0; i < symbol_count && device_range_count < DEVICE_RANGES; i++) {
		const Elf64_Sym *s = &symbols[i];

		if (!is_function(s) || !matches(symbol_names + s->st_name, name, length))
			continue;
		device_ranges[device_range_count].start = s->st_value + slide();
		device_ranges[device_range_count].end = s->st_value + slide() + s->st_size;
		device_ranges[device_range_count++].name = add_name(name, (u32)length, 0);
	}
	return device_range_count > before;
}

/* HETEROMEM_DEVICE=sweep,other */
static void find_device_functions(const char *list)
{
	while (list && *list) {
		size_t n = strcspn(list, ",");

		if (n > 0 && n < NAME_LENGTH / 2 && !symbols) {
			complain("HETEROMEM_DEVICE=%s: %s has no symbol table (.symtab); do not strip it", list,
				 modules[0].path);
			return;
		}
		if (n > 0 && (n >= NAME_LENGTH / 2 || !add_device_function(list, n)))
			complain("HETEROMEM_DEVICE: %s has no function %.*s; if it was inlined, "
				 "__attribute__((noinline)) keeps it",
				 modules[0].path, (int)n, list);
		list += n + (list[n] == ',');
	}
}

/* ---- start --------------------------------------------------------------------------------------------- */

/* HETEROMEM_TRACE=FILE; without it PROGRAM.hmt in the current directory. Empty: nothing is recorded. */
static int choose_path(void)
{
	const char *path = getenv("HETEROMEM_TRACE"), *program = strrchr(modules[0].path, '/');

	if (path && !*path)
		return 0;
	if (path && strlen(path) > sizeof file.path - 32) {
		complain("HETEROMEM_TRACE: the path is longer than %zu bytes", sizeof file.path - 32);
		leave(2);
	}
	if (path)
		snprintf(file.path, sizeof file.path, "%s", path);
	else
		snprintf(file.path, sizeof file.path, "%s.hmt", program ? program + 1 : "program");
	return 1;
}

static void read_block_bytes(void)
{
	const char *text = getenv("HETEROMEM_BLOCKS");
	char *end;

	if (!text)
		return;
	block_bytes = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end) {
		complain("HETEROMEM_BLOCKS=%s: expected a number of bytes: the smallest block of malloc that is named",
			 text);
		leave(2);
	}
}

static void make_encoders(void)
{
	encoders = map(sizeof(struct encoder) * ENCODERS);
#ifdef HETEROMEM_ZSTD
	for (int i = 0; i < ENCODERS; i++) {
		size_t bytes = ZSTD_estimateCCtxSize(3);

		encoders[i].zstd = ZSTD_initStaticCCtx(map(bytes), bytes);
	}
#endif
}

static void init(void)
{
	if (__atomic_exchange_n(&starting, 1, __ATOMIC_ACQ_REL))
		return;
	dl_iterate_phdr(find_module, NULL);
	if (!choose_path())
		return;
	read_block_bytes();
	name_text = map(NAME_BYTES);
	make_encoders();
	load_symbols();
	find_device_functions(getenv("HETEROMEM_DEVICE"));
	if (pthread_key_create(&key, detach) != 0 ||
	    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) != 0) {
		complain("pthread_key_create or pthread_atfork failed: nothing can be recorded");
		leave(2);
	}
	lock(&file_lock);
	if (!start_file())
		leave(2);
	unlock(&file_lock);
	watch_signals();
	owner = getpid();
	__atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
}

void __tsan_init(void)
{
	init();
	if (ready)
		mark_module(CALLER);
}

/* ---- the hooks of loads and stores --------------------------------------------------------------------- */

/* A thread's first access, or one in a signal handler that interrupted a hook. */
static COLD void access_slowly(u64 address, u32 size, u64 pc, u32 kind)
{
	struct thread *t = begin();

	if (t) {
		store(t, address, size, pc, kind);
		quit(t);
	}
}

static COLD void flush_and_quit(struct thread *t)
{
	flush(t);
	quit(t);
}

static COLD void end_pending(struct thread *t)
{
	t->busy = 1;
	end_by(t->pending);
}

/* What is rare is called last, and in functions of its own, so that this needs no stack. */
static inline void access_at(const volatile void *address, u32 size, u64 pc, u32 kind)
{
	struct thread *t = self;

	if (UNLIKELY(!t || t->busy)) {
		access_slowly((u64)address, size, pc, kind);
		return;
	}
	enter(t);
	put_record(t, (u64)address, size, pc, kind);
	if (UNLIKELY(t->count == RECORDS)) {
		flush_and_quit(t);
		return;
	}
	leave_hook(t);
	if (UNLIKELY(t->pending))
		end_pending(t);
}

#define HOOK(name, size, kind)                              \
	void __tsan_##name##size(void *p)                   \
	{                                                   \
		access_at(p, size, CALLER, kind);           \
	}
#define READ_WRITE(name, size)                              \
	void __tsan_##name##size(void *p)                   \
	{                                                   \
		access_at(p, size, CALLER, LOAD);           \
		access_at(p, size, CALLER, STORE);          \
	}
#define HOOKS(prefix, size)                                 \
	HOOK(prefix##read, size, LOAD)                      \
	HOOK(prefix##write, size, STORE)
#define HOOKS_OF_SIZE(size)                                 \
	HOOKS(, size)                                       \
	HOOKS(unaligned_, size)                             \
	HOOKS(volatile_, size)                              \
	HOOKS(unaligned_volatile_, size)                    \
	READ_WRITE(read_write, size)                        \
	READ_WRITE(unaligned_read_write, size)

HOOKS_OF_SIZE(1)
HOOKS_OF_SIZE(2)
HOOKS_OF_SIZE(4)
HOOKS_OF_SIZE(8)
HOOKS_OF_SIZE(16)

/* Loads from `from` (or NULL) and stores to `to` (or NULL), in turns, piece by piece. */
static void access_range(const void *to, const void *from, size_t bytes, u64 pc, u32 flags)
{
	struct thread *t = bytes > 0 ? begin() : NULL;

	if (!t)
		return;
	for (size_t at = 0; at < bytes; at += PIECE) {
		u32 size = bytes - at < PIECE ? (u32)(bytes - at) : PIECE;

		if (from)
			store(t, (u64)from + at, size, pc, LOAD | flags);
		if (to)
			store(t, (u64)to + at, size, pc, STORE | flags);
	}
	quit(t);
}

void __tsan_read_range(void *p, size_t bytes)
{
	access_range(NULL, p, bytes, CALLER, BULK);
}

void __tsan_write_range(void *p, size_t bytes)
{
	access_range(p, NULL, bytes, CALLER, BULK);
}

void __tsan_vptr_update(void **p, void *value)
{
	(void)value;
	access_at(p, sizeof *p, CALLER, STORE);
}

void __tsan_vptr_read(void **p)
{
	access_at(p, sizeof *p, CALLER, LOAD);
}

/* Of clang; they say that no race is to be reported, which is not our business. */
void __tsan_ignore_thread_begin(void)
{
}

void __tsan_ignore_thread_end(void)
{
}

/* ---- memcpy and its like ------------------------------------------------------------------------------- */

WEAK void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	if (LIKELY(ready) && is_instrumented(CALLER))
		access_range(to, from, n, CALLER, BULK);
	copy(to, from, n);
	return to;
}

WEAK void *memmove(void *to, const void *from, size_t n)
{
	if (LIKELY(ready) && is_instrumented(CALLER))
		access_range(to, from, n, CALLER, BULK);
	copy(to, from, n);
	return to;
}

WEAK void *memset(void *to, int c, size_t n)
{
	if (LIKELY(ready) && is_instrumented(CALLER))
		access_range(to, NULL, n, CALLER, BULK);
	set(to, c, n);
	return to;
}

void *__tsan_memcpy(void *to, const void *from, size_t n)
{
	access_range(to, from, n, CALLER, BULK);
	copy(to, from, n);
	return to;
}

void *__tsan_memmove(void *to, const void *from, size_t n)
{
	access_range(to, from, n, CALLER, BULK);
	copy(to, from, n);
	return to;
}

void *__tsan_memset(void *to, int c, size_t n)
{
	access_range(to, NULL, n, CALLER, BULK);
	set(to, c, n);
	return to;
}

/* ---- atomics: recorded, then done in the strictest order ----------------------------------------------- */

#define FETCH(bits, type, name, builtin)                                    \
	type __tsan_atomic##bits##_fetch_##name(volatile type *p, type v, int order) \
	{                                                                           \
		(void)order;                                                        \
		access_at(p, bits / 8, CALLER, MODIFY | ATOMIC);                    \
		return builtin;                                                     \
	}
#define CAS(bits, type, name)                                                       \
	int __tsan_atomic##bits##_compare_exchange_##name(volatile type *p, type *expected, type v, int order, \
							  int failure)              \
	{                                                                           \
		(void)order, (void)failure;                                         \
		access_at(p, bits / 8, CALLER, MODIFY | ATOMIC);                    \
		return __atomic_compare_exchange_n(p, expected, v, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
	}
#define ATOMICS(bits, type)                                                         \
	type __tsan_atomic##bits##_load(const volatile type *p, int order)          \
	{                                                                           \
		(void)order;                                                        \
		access_at(p, bits / 8, CALLER, LOAD | ATOMIC);                      \
		return __atomic_load_n(p, __ATOMIC_SEQ_CST);                        \
	}                                                                           \
	void __tsan_atomic##bits##_store(volatile type *p, type v, int order)       \
	{                                                                           \
		(void)order;                                                        \
		access_at(p, bits / 8, CALLER, STORE | ATOMIC);                     \
		__atomic_store_n(p, v, __ATOMIC_SEQ_CST);                           \
	}                                                                           \
	type __tsan_atomic##bits##_exchange(volatile type *p, type v, int order)    \
	{                                                                           \
		(void)order;                                                        \
		access_at(p, bits / 8, CALLER, MODIFY | ATOMIC);                    \
		return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                 \
	}                                                                           \
	FETCH(bits, type, add, __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST))        \
	FETCH(bits, type, sub, __atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST))        \
	FETCH(bits, type, and, __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST))        \
	FETCH(bits, type, or, __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST))          \
	FETCH(bits, type, xor, __atomic_fetch_xor(p, v, __ATOMIC_SEQ_CST))        \
	FETCH(bits, type, nand, __atomic_fetch_nand(p, v, __ATOMIC_SEQ_CST))      \
	CAS(bits, type, strong)                                                     \
	CAS(bits, type, weak)                                                       \
	type __tsan_atomic##bits##_compare_exchange_val(volatile type *p, type expected, type v, int order, \
							int failure)                \
	{                                                                           \
		(void)order, (void)failure;                                         \
		access_at(p, bits / 8, CALLER, MODIFY | ATOMIC);                    \
		__atomic_compare_exchange_n(p, &expected, v, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
		return expected;                                                    \
	}

ATOMICS(8, u8)
ATOMICS(16, u16)
ATOMICS(32, u32)
ATOMICS(64, u64)

/* 16 bytes: by compare and exchange alone, which needs no library. */
#if defined(__x86_64__) || defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16)
typedef unsigned __int128 u128;

static u128 swap_wide(volatile u128 *p, u128 expected, u128 v)
{
#ifdef __x86_64__
	u64 low = (u64)expected, high = (u64)(expected >> 64);

	__asm__ volatile("lock cmpxchg16b %0"
			 : "+m"(*p), "+a"(low), "+d"(high)
			 : "b"((u64)v), "c"((u64)(v >> 64))
			 : "memory", "cc");
	return (u128)high << 64 | low;
#else
	return __sync_val_compare_and_swap(p, expected, v);
#endif
}

#define RETRY_WIDE(value)                                                           \
	({                                                                          \
		u128 old = swap_wide(p, 0, 0), now;                                 \
		while ((now = swap_wide(p, old, (value))) != old)                   \
			old = now;                                                  \
		old;                                                                \
	})

u128 __tsan_atomic128_load(const volatile u128 *p, int order)
{
	(void)order;
	access_at(p, 16, CALLER, LOAD | ATOMIC);
	return swap_wide((volatile u128 *)p, 0, 0);
}

void __tsan_atomic128_store(volatile u128 *p, u128 v, int order)
{
	(void)order;
	access_at(p, 16, CALLER, STORE | ATOMIC);
	RETRY_WIDE(v);
}

u128 __tsan_atomic128_exchange(volatile u128 *p, u128 v, int order)
{
	(void)order;
	access_at(p, 16, CALLER, MODIFY | ATOMIC);
	return RETRY_WIDE(v);
}

FETCH(128, u128, add, RETRY_WIDE(old + v))
FETCH(128, u128, sub, RETRY_WIDE(old - v))
FETCH(128, u128, and, RETRY_WIDE(old & v))
FETCH(128, u128, or, RETRY_WIDE(old | v))
FETCH(128, u128, xor, RETRY_WIDE(old ^ v))
FETCH(128, u128, nand, RETRY_WIDE(~(old & v)))

u128 __tsan_atomic128_compare_exchange_val(volatile u128 *p, u128 expected, u128 v, int order, int failure)
{
	(void)order, (void)failure;
	access_at(p, 16, CALLER, MODIFY | ATOMIC);
	return swap_wide(p, expected, v);
}

static int exchange_wide(volatile u128 *p, u128 *expected, u128 v)
{
	u128 was = swap_wide(p, *expected, v);
	int done = was == *expected;

	*expected = was;
	return done;
}

int __tsan_atomic128_compare_exchange_strong(volatile u128 *p, u128 *expected, u128 v, int order, int failure)
{
	(void)order, (void)failure;
	access_at(p, 16, CALLER, MODIFY | ATOMIC);
	return exchange_wide(p, expected, v);
}

int __tsan_atomic128_compare_exchange_weak(volatile u128 *p, u128 *expected, u128 v, int order, int failure)
{
	(void)order, (void)failure;
	access_at(p, 16, CALLER, MODIFY | ATOMIC);
	return exchange_wide(p, expected, v);
}
#endif

void __tsan_atomic_thread_fence(int order)
{
	(void)order;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void __tsan_atomic_signal_fence(int order)
{
	(void)order;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* ---- who accesses -------------------------------------------------------------------------------------- */

/* The thread is busy. */
static void push_agent(struct thread *t, u32 name, u32 device)
{
	if (t->depth < AGENT_DEPTH)
		t->outer[t->depth] = t->agent;
	t->depth++;
	if (t->depth <= AGENT_DEPTH)
		t->agent = (u64)(device + 1) << AGENT_SHIFT;
	store_event(t, (struct event){ .kind = DEVICE_BEGIN, .device = (u16)device, .name = name });
}

static void pop_agent(struct thread *t)
{
	u32 device = (u32)(t->agent >> AGENT_SHIFT) - 1;

	t->depth--;
	if (t->depth < AGENT_DEPTH)
		t->agent = t->outer[t->depth];
	store_event(t, (struct event){ .kind = DEVICE_END, .device = (u16)device });
}

/* Out of the device function, by its return or by a longjmp over it. */
static void leave_function(struct thread *t)
{
	t->calls = 0;
	if (t->depth > 0)
		pop_agent(t);
}

/*
 * A function that HETEROMEM_DEVICE names opens a section for device 0, calls that it makes included. Frames
 * tell when longjmp left it: the stack grows down, so a function that is entered above its frame is not one
 * that it called.
 */
static void function_entry(struct thread *t, u64 pc, u64 frame)
{
	if (t->calls > 0 && frame > t->frame)
		leave_function(t);
	if (t->calls > 0) {
		t->calls++;
		return;
	}
	for (u32 i = 0; i < device_range_count; i++)
		if (pc - device_ranges[i].start < device_ranges[i].end - device_ranges[i].start) {
			t->calls = 1;
			t->frame = frame;
			push_agent(t, device_ranges[i].name, 0);
			return;
		}
}

void __tsan_func_entry(void *call)
{
	struct thread *t;

	(void)call;
	if (LIKELY(device_range_count == 0))
		return;
	t = begin();
	if (t) {
		function_entry(t, CALLER, (u64)__builtin_frame_address(0));
		quit(t);
	}
}

void __tsan_func_exit(void)
{
	struct thread *t = self;

	if (!t || t->calls == 0 || t->busy)
		return;
	enter(t);
	if (t->calls == 1 || (u64)__builtin_frame_address(0) > t->frame)
		leave_function(t);
	else
		t->calls--;
	quit(t);
}

void hm_device_begin(const char *name, int device)
{
	struct thread *t;

	if (device < 0 || device >= DEVICES) {
		complain("hm_device_begin(\"%s\", %d): expected a device from 0 to %d", name ? name : "", device,
			 DEVICES - 1);
		leave(2);
	}
	t = begin();
	if (t) {
		push_agent(t, name_of(name), (u32)device);
		quit(t);
	}
}

void hm_device_end(void)
{
	struct thread *t = begin();

	if (!t)
		return;
	if (t->depth > 0)
		pop_agent(t);
	else
		complain("hm_device_end() without hm_device_begin()");
	quit(t);
}

static u16 device_number(const char *function, int device)
{
	if (device < HM_CPU || device >= DEVICES) {
		complain("%s: device %d: expected HM_CPU or a device from 0 to %d", function, device, DEVICES - 1);
		leave(2);
	}
	return device == HM_CPU ? NO_DEVICE : (u16)device;
}

static void event(struct event event)
{
	struct thread *t = begin();

	if (t) {
		store_event(t, event);
		quit(t);
	}
}

void hm_range(const char *name, const void *start, size_t bytes)
{
	struct thread *t = begin();

	if (!t)
		return;
	store_event(t, (struct event){ RANGE, 0, NO_DEVICE, name_of(name), (u64)start, bytes });
	quit(t);
}

void hm_advise(const void *start, size_t bytes, enum hm_advice advice, int device)
{
	u16 number = device_number("hm_advise", device);

	if (advice < HM_SET_READ_MOSTLY || advice > HM_UNSET_ACCESSED_BY) {
		complain("hm_advise: advice %d: expected one of enum hm_advice", (int)advice);
		leave(2);
	}
	event((struct event){ ADVISE, (u8)advice, number, 0, (u64)start, bytes });
}

void hm_prefetch(const void *start, size_t bytes, int device)
{
	u16 number = device_number("hm_prefetch", device);

	event((struct event){ PREFETCH, 0, number, 0, (u64)start, bytes });
}

/* ---- blocks of malloc ---------------------------------------------------------------------------------- */

/*
 * glibc has its allocator under a second name, so that no pointer to the first one has to be found. In a
 * static program these definitions give way to the library's, and blocks have no names.
 */
#ifdef __GLIBC__
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

/* Whether a call from `pc` is the program's own; it may have been made before the first access. */
static int is_of_program(u64 pc)
{
	return ready && !(self && self->busy) && is_instrumented(pc);
}

static void *named(void *p, size_t bytes, const char *allocator, u64 pc)
{
	struct thread *t = p && bytes >= block_bytes && is_of_program(pc) ? begin() : NULL;

	if (t) {
		store_event(t, (struct event){ RANGE, 0, NO_DEVICE, name_of_site(allocator, pc), (u64)p, bytes });
		quit(t);
	}
	return p;
}

static void unnamed(void *p, u64 pc)
{
	if (p && is_of_program(pc) && malloc_usable_size(p) >= block_bytes)
		event((struct event){ RANGE_END, 0, NO_DEVICE, 0, (u64)p, 0 });
}

WEAK void *malloc(size_t bytes)
{
	return named(__libc_malloc(bytes), bytes, "malloc", CALLER);
}

WEAK void *calloc(size_t n, size_t size)
{
	return named(__libc_calloc(n, size), n * size, "calloc", CALLER);
}

WEAK void *realloc(void *old, size_t bytes)
{
	unnamed(old, CALLER);
	return named(__libc_realloc(old, bytes), bytes, "realloc", CALLER);
}

WEAK void *memalign(size_t alignment, size_t bytes)
{
	return named(__libc_memalign(alignment, bytes), bytes, "memalign", CALLER);
}

WEAK void *aligned_alloc(size_t alignment, size_t bytes)
{
	return named(__libc_memalign(alignment, bytes), bytes, "aligned_alloc", CALLER);
}

WEAK int posix_memalign(void **p, size_t alignment, size_t bytes)
{
	void *block;

	if (alignment % sizeof(void *) || alignment == 0 || (alignment & (alignment - 1)))
		return EINVAL;
	block = named(__libc_memalign(alignment, bytes), bytes, "posix_memalign", CALLER);
	if (!block)
		return ENOMEM;
	*p = block;
	return 0;
}

WEAK void free(void *p)
{
	unnamed(p, CALLER);
	__libc_free(p);
}
#endif

/* ---- the order of threads ------------------------------------------------------------------------------ */

/*
 * Blocks are in the order in which they were written. Where one thread starts or awaits others, it writes
 * what it has first, so that what is before in the program is before in the trace. Static programs have no
 * second definition that could be called from here: -DHETEROMEM_STATIC leaves this out.
 */
WEAK void _exit(int code)
{
	if (ready && getpid() == owner) {
		if (self)
			self->busy = 1;
		finish(0);
	}
	leave(code);
	__builtin_unreachable();
}

WEAK void _Exit(int code)
{
	_exit(code);
}

#ifndef HETEROMEM_STATIC
#pragma weak dlsym

/* The definition that the program would have without this file; `slot` keeps it. */
static void *find_real(void *slot, const char *name)
{
	void *found;

	__builtin_memcpy(&found, slot, sizeof found);
	if (found)
		return found;
	found = dlsym ? dlsym(RTLD_NEXT, name) : NULL;
	if (!found) {
		complain("%s is not in a shared library: compile heteromem-record.c with -DHETEROMEM_STATIC", name);
		leave(2);
	}
	__builtin_memcpy(slot, &found, sizeof found);
	return found;
}

#define REAL(name) ((__typeof__(real_##name))find_real(&real_##name, #name))

struct start {
	void *(*routine)(void *);
	void *argument;
	u64 agent;
	u16 parent;
};

static void *run_thread(void *p)
{
	struct start start = *(struct start *)p;

	free(p);
	if (!self)
		attach_to(start.parent, start.agent);
	return start.routine(start.argument);
}

static int (*real_pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

WEAK int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*routine)(void *),
			void *argument)
{
	struct start *start;
	int error;

	/* Threads of libraries, OpenMP's among them, are taken up by what they call. */
	if (!is_instrumented(CALLER) || (!self && !attach()) || self->busy)
		return REAL(pthread_create)(thread, attributes, routine, argument);
	enter(self); /* so that this block is none of the program's */
	start = malloc(sizeof *start);
	quit(self);
	if (!start)
		return EAGAIN;
	*start = (struct start){ routine, argument, self->agent, self->id };
	flush_self();
	error = REAL(pthread_create)(thread, attributes, run_thread, start);
	if (error)
		free(start);
	return error;
}

static int (*real_pthread_barrier_wait)(pthread_barrier_t *);

WEAK int pthread_barrier_wait(pthread_barrier_t *barrier)
{
	flush_self();
	return REAL(pthread_barrier_wait)(barrier);
}

/* A parallel region: its team works for the agent of the thread that opened it. */
struct team {
	void (*function)(void *);
	void *data;
	u64 agent;
	u16 parent;
	void *arguments[PARALLEL_ARGUMENTS];
};

static u64 join_team(const struct team *team)
{
	u64 agent;

	if (!self && !attach_to(team->parent, team->agent))
		return 0;
	agent = self->agent;
	self->agent = team->agent;
	return agent;
}

static void leave_team(u64 agent)
{
	flush_self();
	if (self)
		self->agent = agent;
}

static void run_team(void *p)
{
	const struct team *team = p;
	u64 agent = join_team(team);

	team->function(team->data);
	leave_team(agent);
}

static struct team open_team(void (*function)(void *), void *data)
{
	struct thread *t = self ? self : attach();

	flush_self();
	return (struct team){ .function = function,
			      .data = data,
			      .agent = t ? t->agent : 0,
			      .parent = t ? t->id : NO_THREAD };
}

#define PARALLEL(type, name, parameters, ...)                                                \
	static type (*real_##name) parameters;                                               \
	WEAK type name parameters                                                            \
	{                                                                                    \
		struct team team = open_team(function, data);                                \
		return REAL(name)(run_team, &team, __VA_ARGS__);                             \
	}
#define LOOP(name) \
	PARALLEL(void, name, (void (*function)(void *), void *data, unsigned threads, long start, long end, \
			      long step, long chunk, unsigned flags), threads, start, end, step, chunk, flags)
#define LOOP_RUNTIME(name) \
	PARALLEL(void, name, (void (*function)(void *), void *data, unsigned threads, long start, long end, \
			      long step, unsigned flags), threads, start, end, step, flags)

PARALLEL(void, GOMP_parallel, (void (*function)(void *), void *data, unsigned threads, unsigned flags),
	 threads, flags)
PARALLEL(unsigned, GOMP_parallel_reductions,
	 (void (*function)(void *), void *data, unsigned threads, unsigned flags), threads, flags)
PARALLEL(void, GOMP_parallel_sections,
	 (void (*function)(void *), void *data, unsigned threads, unsigned count, unsigned flags),
	 threads, count, flags)
LOOP(GOMP_parallel_loop_static)
LOOP(GOMP_parallel_loop_dynamic)
LOOP(GOMP_parallel_loop_guided)
LOOP(GOMP_parallel_loop_nonmonotonic_dynamic)
LOOP(GOMP_parallel_loop_nonmonotonic_guided)
LOOP_RUNTIME(GOMP_parallel_loop_runtime)
LOOP_RUNTIME(GOMP_parallel_loop_nonmonotonic_runtime)
LOOP_RUNTIME(GOMP_parallel_loop_maybe_nonmonotonic_runtime)

#define MEETING(name)                                                                        \
	static void (*real_##name)(void);                                                    \
	WEAK void name(void)                                                                 \
	{                                                                                    \
		flush_self();                                                                \
		REAL(name)();                                                                \
	}

MEETING(GOMP_barrier)
MEETING(GOMP_loop_end)
MEETING(GOMP_sections_end)

/* The same for LLVM's OpenMP. */
typedef void micro(int *, int *, ...);
static void (*real___kmpc_fork_call)(void *, int, micro *, ...);

static void run_micro(int *global, int *bound, ...)
{
	va_list args;
	struct team *team;
	void **a;
	u64 agent;

	va_start(args, bound);
	team = va_arg(args, struct team *);
	va_end(args);
	agent = join_team(team);
	a = team->arguments;
	/* The function takes as many as it has; further ones do not harm in the calling conventions of Linux. */
	((micro *)(void *)team->function)(global, bound, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8],
					  a[9], a[10], a[11], a[12], a[13], a[14], a[15], a[16], a[17], a[18], a[19], a[20], a[21],
					  a[22], a[23], a[24], a[25], a[26], a[27], a[28], a[29], a[30], a[31]);
	leave_team(agent);
}

WEAK void __kmpc_fork_call(void *where, int count, micro *function, ...)
{
	struct team team = open_team((void (*)(void *))(void *)function, NULL);
	va_list args;

	if (count > PARALLEL_ARGUMENTS) {
		complain("a parallel region has %d shared variables: at most %d can be recorded", count,
			 PARALLEL_ARGUMENTS);
		leave(2);
	}
	va_start(args, function);
	for (int i = 0; i < count; i++)
		team.arguments[i] = va_arg(args, void *);
	va_end(args);
	REAL(__kmpc_fork_call)(where, 1, run_micro, &team);
}

static void (*real___kmpc_barrier)(void *, int);

WEAK void __kmpc_barrier(void *where, int thread)
{
	flush_self();
	REAL(__kmpc_barrier)(where, thread);
}
#endif
