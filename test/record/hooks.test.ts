/** Each hook that a compiler calls: what it records, and that what it stands for is done. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "uvu";
import * as assert from "uvu/assert";
import { EVENT, accesses, events } from "../util/hmt.ts";
import {
  accessesIn,
  buildProgram,
  checkTotals,
  folder,
  has,
  printed,
  record,
  skipping,
  withCompilers,
} from "./recorder.ts";

const LOADS_AND_STORES = `
#include <stdint.h>
#include <stdio.h>
#include <string.h>
typedef struct __attribute__((packed)) { uint32_t v; } odd32;
typedef struct { uint64_t part[12]; } wide;
_Alignas(64) static char data[256];
static wide from, to;
__attribute__((noinline)) void sizes(char *p, const char *q)
{
	*(volatile uint8_t *)(p + 1) = 1;
	*(uint16_t *)(p + 2) = *(const uint8_t *)(q + 1);
	*(uint32_t *)(p + 4) = *(const uint16_t *)(q + 2);
	*(uint64_t *)(p + 8) = *(const uint32_t *)(q + 4);
	*(unsigned __int128 *)(p + 16) = *(const uint64_t *)(q + 8);
	*(volatile uint64_t *)(p + 40) = (uint64_t)*(const unsigned __int128 *)(q + 16);
	((odd32 *)(p + 49))->v = 7;
}
__attribute__((noinline)) void assign(wide *a, const wide *b) { *a = *b; }
int main(void)
{
	sizes(data, data + 128);
	from.part[11] = 5;
	assign(&to, &from);
	printf("data %p\\nfrom %p\\nto %p\\nlast %d\\n", (void *)data, (void *)&from, (void *)&to, (int)to.part[11]);
	return 0;
}
`;

const COPIES = `
#include <stdio.h>
#include <string.h>
static char a[20000], b[20000];
/* All overlaps and lengths: the copies that stand in for the C library's have to be right. */
__attribute__((noinline, no_sanitize("thread"))) static int wrong(char *volatile target)
{
	int bad = 0;
	for (int i = 0; i < 4096; i++)
		a[i] = (char)(i * 7 + i / 256);
	for (int length = 0; length < 1200; length += length < 80 ? 1 : 97)
		for (int shift = -40; shift <= 40; shift += 8) {
			char expected[2048];
			for (int i = 0; i < 2048; i++)
				b[i] = expected[i] = a[i];
			for (int i = 0; i < length; i++)
				expected[100 + shift + i] = a[100 + i];
			memmove(target + 100 + shift, target + 100, length);
			for (int i = 0; i < 2048; i++)
				bad += ((volatile char *)b)[i] != expected[i];
			memset(target + 3, shift, length);
			for (int i = 0; i < length; i++)
				bad += ((volatile char *)b)[3 + i] != (char)shift;
		}
	return bad;
}
int main(int argc, char **argv)
{
	char *volatile target = b;
	(void)argv;
	memset(target, argc, 10000);
	memcpy(target + 1, a, 10000);
	memmove(target, target + 16, 10000);
	printf("a %p\\nb %p\\nbad %d\\n", (void *)a, (void *)b, wrong(b));
	return 0;
}
`;

withCompilers("hooks", (test, compiler) => {
  test("loads and stores of 1 to 16 bytes, volatile, unaligned, and of a struct", () => {
    const { trace, stdout, status } = record(buildProgram(compiler, LOADS_AND_STORES));
    assert.is(status, 0);
    const at = printed(stdout);
    assert.is(at.get("last"), 5);
    // gcc calls the hook of ranges for what is packed, clang that of unaligned accesses.
    const found = accessesIn(trace, at.get("data")!, 256).map((text) => text.replace("S* 49", "S 49"));
    assert.equal(found, [
      "S 1,1",
      "L 129,1",
      "S 2,2",
      "L 130,2",
      "S 4,4",
      "L 132,4",
      "S 8,8",
      "L 136,8",
      "S 16,16",
      "L 144,16",
      "S 40,8",
      "S 49,4",
    ]);
    assert.equal(accessesIn(trace, at.get("from")!, 96), ["S 88,8", "L* 0,96"]);
    assert.equal(accessesIn(trace, at.get("to")!, 96), ["S* 0,96", "L 88,8"]);
    checkTotals(trace);
  });

  test("memset, memcpy and memmove: pieces of 4 KiB, loads and stores in turns, right results", () => {
    const { trace, stdout, status } = record(buildProgram(compiler, COPIES));
    assert.is(status, 0);
    const at = printed(stdout);
    assert.is(at.get("bad"), 0);
    const [a, b] = [at.get("a")!, at.get("b")!];
    const first = accesses(trace)
      .filter(({ kind }) => (kind & 8) !== 0)
      .slice(0, 15)
      .map(({ kind, address, size }) =>
        address >= b && address < b + 20000
          ? `${"LS"[kind & 3]} b+${address - b},${size}`
          : `${"LS"[kind & 3]} a+${address - a},${size}`,
      );
    assert.equal(first, [
      ...["S b+0,4096", "S b+4096,4096", "S b+8192,1808"],
      ...["L a+0,4096", "S b+1,4096", "L a+4096,4096", "S b+4097,4096", "L a+8192,1808", "S b+8193,1808"],
      ...["L b+16,4096", "S b+0,4096", "L b+4112,4096", "S b+4096,4096", "L b+8208,1808", "S b+8192,1808"],
    ]);
  });

  test("atomics of all sizes and operations", () => {
    const program = buildProgram(compiler, atomics(compiler), { flags: ["-mcx16"] });
    const { trace, stdout, status } = record(program);
    assert.is(status, 0, stdout);
    const at = printed(stdout);
    for (const size of [1, 2, 4, 8, 16]) {
      const found = accessesIn(trace, at.get(`v${size}`)!, size);
      const expected = ["S+", "L+", ...Array.from({ length: 9 }, () => "M+"), "L+"];
      assert.equal(
        found,
        expected.map((kind) => `${kind} 0,${size}`),
      );
    }
  });

  const cxx = compiler.replace("gcc", "g++").replace("clang", "clang++");
  const withCxx: Test = has(cxx, "--version") ? test : skipping(test);
  withCxx("C++: virtual calls, new, and a function in a namespace on the device", () => {
    const source = `
      #include <cstdio>
      namespace lab {
        struct Shape { virtual long area() = 0; virtual ~Shape() {} };
        struct Square : Shape {
          long side; Square(long s) : side(s) {} long area() override { return side * side; }
        };
        __attribute__((noinline)) long sweep(Shape **shapes, int n)
        {
          long sum = 0;
          for (int i = 0; i < n; i++) sum += shapes[i]->area();
          return sum;
        }
      }
      static lab::Shape *shapes[4];
      int main()
      {
        for (long i = 0; i < 4; i++) shapes[i] = new lab::Square(i);
        long sum = lab::sweep(shapes, 4);
        std::printf("shapes %p\\nfirst %p\\nsum %ld\\n", (void *)shapes, (void *)shapes[0], sum);
        return 0;
      }`;
    const path = join(folder, `${cxx}.cc`);
    writeFileSync(path, source);
    const program = buildProgram(cxx, path, { flags: ["-std=gnu++17"], with: compiler });
    const { trace, stdout, stderr, status } = record(program, [], { HETEROMEM_DEVICE: "sweep" });
    assert.is(stderr, "");
    assert.is(status, 0);
    const at = printed(stdout);
    assert.is(at.get("sum"), 14);
    const list = accesses(trace).filter(
      ({ address }) => Math.floor((address - at.get("shapes")!) / 32) === 0,
    );
    assert.equal(
      list.map(({ kind, agent }) => [kind, agent]).slice(0, 8),
      [1, 1, 1, 1, 0, 0, 0, 0].map((kind) => [kind, 1 - kind]),
    );
    const first = accesses(trace).filter(({ address }) => address === at.get("first"));
    assert.is(first[0].kind, 1, "the constructor stores the table of virtual functions");
    assert.ok(first.some(({ kind, agent }) => kind === 0 && agent === 1));
  });

  test("blocks of malloc have the names of their call sites, and end", () => {
    const source = `
      #include <stdlib.h>
      #include <stdio.h>
      #include <string.h>
      __attribute__((noinline)) void *make(void) { void *volatile p = malloc(5000); return p; }
      int main(void)
      {
        char *a = make(), *b = calloc(100, 100), *c, *volatile small = malloc(100), *d;
        printf("a %p\\nb %p\\n", a, b);
        b = realloc(b, 20000);
        c = aligned_alloc(4096, 8192);
        if (posix_memalign((void **)&d, 64, 4096) || (unsigned long)c % 4096 || (unsigned long)d % 64)
          return 1;
        small[0] = *(volatile char *)c = 1;
        free(a);
        free(small);
        return 0;
      }`;
    const { trace, stdout, status } = record(buildProgram(compiler, source));
    assert.is(status, 0);
    const at = printed(stdout);
    const found = events(trace).filter(({ kind }) => kind === EVENT.RANGE || kind === EVENT.RANGE_END);
    assert.equal(
      found.map(({ kind, text, bytes }) => [
        kind === EVENT.RANGE ? text.replace(/\+0x[0-9a-f]+$/, "+…") : "end",
        bytes,
      ]),
      [
        ["malloc in make+…", 5000],
        ["calloc in main+…", 10000],
        ["end", 0],
        ["realloc in main+…", 20000],
        ["aligned_alloc in main+…", 8192],
        ["posix_memalign in main+…", 4096],
        ["end", 0],
      ],
    );
    assert.is(found[0].address, at.get("a"));
    assert.is(found[1].address, at.get("b"));
    assert.is(found[6].address, at.get("a"));
  });
});

/** Each operation once, with its result checked. clang has no nand in its older versions' 16-byte form. */
function atomics(compiler: string): string {
  const one = (bits: number, type: string): string => `
static ${type} v${bits / 8};
static int test${bits}(void)
{
	${type} *p = &v${bits / 8}, e;
	int bad = 0;
	__atomic_store_n(p, 5, __ATOMIC_RELEASE);
	bad += __atomic_load_n(p, __ATOMIC_ACQUIRE) != 5;
	bad += __atomic_exchange_n(p, 6, __ATOMIC_SEQ_CST) != 5;
	bad += __atomic_fetch_add(p, 4, __ATOMIC_RELAXED) != 6;
	bad += __atomic_fetch_sub(p, 3, __ATOMIC_RELAXED) != 10;
	bad += __atomic_fetch_and(p, 6, __ATOMIC_RELAXED) != 7;
	bad += __atomic_fetch_or(p, 9, __ATOMIC_RELAXED) != 6;
	bad += __atomic_fetch_xor(p, 1, __ATOMIC_RELAXED) != 15;
	bad += __atomic_fetch_nand(p, 6, __ATOMIC_RELAXED) != 14;
	e = (${type})~(${type})6;
	bad += !__atomic_compare_exchange_n(p, &e, 3, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	e = 4;
	bad += __atomic_compare_exchange_n(p, &e, 9, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) || e != 3;
	bad += __atomic_load_n(p, __ATOMIC_SEQ_CST) != 3;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return bad;
}`;
  const types: [number, string][] = [
    [8, "unsigned char"],
    [16, "unsigned short"],
    [32, "unsigned"],
    [64, "unsigned long"],
    [128, "unsigned __int128"],
  ];
  const calls = types.map(([bits]) => `test${bits}()`).join(" + ");
  const lines = types.map(([bits]) => `printf("v${bits / 8} %p\\n", (void *)&v${bits / 8});`).join("\n\t");
  return `
/* ${compiler} */
#include <stdio.h>
${types.map(([bits, type]) => one(bits, type)).join("\n")}
int main(void)
{
	int bad = ${calls};
	${lines}
	printf("bad %d\\n", bad);
	return bad != 0;
}
`;
}
