/** Threads: OpenMP's and the program's own, their ids, their order in the trace, and what they share. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "uvu";
import * as assert from "uvu/assert";
import { EVENT, NO_THREAD, accesses, events } from "../util/hmt.ts";
import {
  buildProgram,
  checkTotals,
  folder,
  has,
  printed,
  record,
  skipping,
  withCompilers,
} from "./recorder.ts";

const THREADS = 64;

const OPENMP = `
#include <omp.h>
#include <stdio.h>
#define N ${THREADS * 100}
static long a[N], b[N];
__attribute__((noinline)) void fill(void) { for (long i = 0; i < N; i++) a[i] = i; }
__attribute__((noinline)) void sweep(void)
{
	#pragma omp parallel num_threads(${THREADS})
	{
		#pragma omp for schedule(static)
		for (long i = 0; i < N; i++)
			b[i] = a[i] * 2;
		#pragma omp for schedule(static)
		for (long i = 0; i < N; i++)
			a[i] = b[N - 1 - i];
	}
}
__attribute__((noinline)) long total(void) { long t = 0; for (long i = 0; i < N; i++) t += a[i]; return t; }
int main(void)
{
	fill();
	sweep();
	printf("a %p\\nb %p\\ntotal %ld\\n", (void *)a, (void *)b, total());
	return 0;
}
`;

const PTHREADS = `
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static long slots[${THREADS}][1000];
static long sum;
static pthread_barrier_t barrier;
static void *work(void *p)
{
	long *slot = p;
	for (int i = 0; i < 1000; i++)
		slot[i] = i;
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 1000; i++)
		__atomic_fetch_add(&sum, slots[(slot - slots[0]) / 1000 ^ 1][i], __ATOMIC_RELAXED);
	return NULL;
}
static void *tiny(void *p) { ++*(long *)p; return NULL; }
int main(void)
{
	pthread_t threads[${THREADS}];
	pthread_barrier_init(&barrier, NULL, ${THREADS});
	for (long i = 0; i < ${THREADS}; i++)
		pthread_create(&threads[i], NULL, work, slots[i]);
	for (int i = 0; i < ${THREADS}; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 500; i++) {
		pthread_create(&threads[0], NULL, tiny, &slots[0][0]);
		pthread_join(threads[0], NULL);
	}
	printf("slots %p\\nsum %ld\\ntiny %ld\\n", (void *)slots, sum, slots[0][0]);
	return 0;
}
`;

/** Whether the compiler has OpenMP's runtime: Debian's clang needs a package of its own for it. */
function openMp(compiler: string): boolean {
  const source = join(folder, "omp.c");
  writeFileSync(source, "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n");
  return has(compiler, "-fopenmp", source, "-o", join(folder, "omp"));
}

withCompilers("threads", (test, compiler) => {
  const withOpenMp: Test = openMp(compiler) ? test : skipping(test);
  withOpenMp("OpenMP: 64 threads, each element once, what comes before a region or a barrier first", () => {
    const program = buildProgram(compiler, OPENMP, { flags: ["-fopenmp"], link: ["-fopenmp"] });
    const { trace, stdout, stderr, status } = record(program, [], { HETEROMEM_DEVICE: "sweep" });
    assert.is(stderr, "");
    assert.is(status, 0);
    checkTotals(trace);
    const at = printed(stdout);
    const n = THREADS * 100;
    assert.is(at.get("total"), n * (n - 1));
    const [a, b] = [at.get("a")!, at.get("b")!];
    const of = (base: number) => accesses(trace).filter((r) => r.address >= base && r.address < base + 8 * n);

    // Phases are told by what they do: 0 fill, 1 and 2 the two loops, 3 total.
    const phase = (r: ReturnType<typeof accesses>[number]): number => {
      const inA = r.address >= a && r.address < a + 8 * n;
      if (r.agent === 0) return r.kind === 1 ? 0 : 3;
      return inA ? (r.kind === 0 ? 1 : 2) : r.kind === 1 ? 1 : 2;
    };
    const data = accesses(trace).filter(
      ({ address }) => (address >= a && address < a + 8 * n) || (address >= b && address < b + 8 * n),
    );
    const phases = data.map(phase);
    assert.ok(
      phases.every((p, i) => i === 0 || phases[i - 1] <= p),
      "no access is before one of an earlier phase",
    );
    assert.equal(
      [0, 1, 2, 3].map((p) => phases.filter((q) => q === p).length),
      [n, 2 * n, 2 * n, n],
    );
    assert.is(new Set(data.filter((r) => r.agent === 1).map((r) => r.thread)).size, THREADS);
    const stores = of(b).filter(({ kind }) => kind === 1);
    assert.is(new Set(stores.map(({ address }) => address)).size, n);
    // Every thread of the team says which thread opened the region.
    const parents = new Set([...trace.threads].filter(([id]) => id !== 0).map(([, parent]) => parent));
    assert.equal([...parents], [0]);
  });

  test("pthreads: a thread's accesses in order, its parent, and first what came before a barrier", () => {
    const { trace, stdout, status } = record(buildProgram(compiler, PTHREADS));
    assert.is(status, 0);
    checkTotals(trace);
    const at = printed(stdout);
    assert.is(at.get("sum"), (THREADS * 999 * 1000) / 2);
    assert.is(at.get("tiny"), 500);
    const slots = at.get("slots")!;
    const own = accesses(trace).filter((r) => r.address >= slots && r.address < slots + THREADS * 8000);
    const first = own.slice(0, THREADS * 1000);
    assert.ok(first.every(({ kind }) => kind === 1));
    const next = new Map<number, number>();
    for (const { thread, address } of first) {
      const offset = (address - slots) % 8000;
      assert.is(offset, next.get(thread) ?? 0);
      next.set(thread, offset + 8);
    }
    assert.is(next.size, THREADS);
    assert.is(trace.end?.threads, 1 + THREADS + 500);
    const parents = [...trace.threads].map(([, parent]) => parent);
    assert.is(parents.filter((parent) => parent === 0).length, THREADS + 500);
    assert.is(parents.filter((parent) => parent === NO_THREAD).length, 1);
    const kinds = events(trace).map(({ kind }) => kind);
    assert.is(kinds.filter((kind) => kind === EVENT.THREAD_START).length, 1 + THREADS + 500);
    assert.is(kinds.filter((kind) => kind === EVENT.THREAD_END).length, THREADS + 500);
  });
});
