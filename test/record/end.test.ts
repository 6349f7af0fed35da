/** How a recording ends: exit, _exit, signals, SIGKILL; and what fork, exec and signal handlers do to it. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as assert from "uvu/assert";
import { accesses } from "../util/hmt.ts";
import {
  accessesIn,
  buildProgram,
  checkTotals,
  ended,
  printed,
  readTrace,
  record,
  start,
  tracePath,
  withCompilers,
} from "./recorder.ts";

/** Stores 1000 elements, says so, waits; a second thread works on and on. */
const WAITS = `
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static volatile long data[1000], other[1000];
static void *spin(void *p) {
  for (long i = 0;; i++) { other[i % 1000] = i; if (i % 1000 == 0) usleep(1000); }
  return p;
}
static void leave(int signal) { data[0] = signal; _exit(7); }
int main(void)
{
	pthread_t thread;
	if (getenv("OWN_HANDLER"))
		signal(SIGTERM, leave);
	pthread_create(&thread, NULL, spin, NULL);
	for (int i = 0; i < 1000; i++)
		data[i] = i;
	printf("data %p\\n", (void *)data);
	fflush(stdout);
	for (;;)
		pause();
}
`;

const COUNTS = `
#include <stdio.h>
#include <unistd.h>
static volatile long data[1 << 16];
int main(void)
{
	printf("data %p\\n", (void *)data);
	fflush(stdout);
	for (unsigned long i = 0;; i++)
		if (data[i & 0xffff] = (long)i, i % 4096 == 0)
			usleep(1000);
}
`;

const FORKS = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile long data[100];
static void work(int from, int to) { for (int i = from; i < to; i++) data[i] = i; }
int main(int argc, char **argv)
{
	int status;
	if (argc > 1) {
		work(90, 93);
		return 0;
	}
	printf("data %p\\n", (void *)data);
	fflush(stdout);
	work(0, 10);
	pid_t child = fork();
	if (child == 0) {
		work(10, 20);
		if (fork() == 0)
			_exit(0);
		wait(&status);
		exit(0);
	}
	waitpid(child, &status, 0);
	work(20, 30);
	if ((child = vfork()) == 0)
		_exit(3);
	waitpid(child, &status, 0);
	data[40] = WEXITSTATUS(status);
	if (fork() == 0) {
		execl(argv[0], argv[0], "again", (char *)NULL);
		_exit(1);
	}
	wait(&status);
	printf("child %d\\n", (int)child);
	return 0;
}
`;

/** Interval timers in the middle of hooks, forks with threads at work. */
const DISTURBED = `
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile long data[4096], seen[4096];
static volatile sig_atomic_t handled, stop;
static void handler(int n)
{
	(void)n;
	handled++;
	for (int i = 0; i < 50; i++)
		seen[i] = i;
}
static void *spin(void *p)
{
	volatile long *own = p;
	for (long i = 0; !stop; i++)
		if (own[i & 15] = i, i % 500 == 0)
			usleep(200);
	return NULL;
}
int main(void)
{
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { { 0, 0 }, { 0, 0 } };
	pthread_t threads[4];
	int status;
	signal(SIGALRM, handler);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, spin, (void *)&data[1024 + 16 * i]);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 20; i++) {
		for (int k = 0; k < 20000; k++)
			data[k & 1023] = k;
		pid_t child = fork();
		if (child == 0) {
			signal(SIGALRM, SIG_IGN);
			for (int k = 0; k < 20000; k++)
				data[k & 1023] = k;
			exit(0);
		}
		while (waitpid(child, &status, 0) < 0)
			;
		if (status)
			return 3;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	stop = 1;
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	printf("data %p\\nseen %p\\nhandled %ld\\n", (void *)data, (void *)seen, (long)handled);
	return 0;
}
`;

const tracesOf = (path: string): string[] =>
  readdirSync(dirname(path))
    .filter((name) => name.startsWith(`${basename(path)}.`))
    .map((name) => `${dirname(path)}/${name}`);

withCompilers("end", (test, compiler) => {
  for (const [signal, number] of [
    ["SIGTERM", 15],
    ["SIGINT", 2],
    ["SIGABRT", 6],
    ["SIGSEGV", 11],
  ] as const) {
    test(`${signal}: the trace is whole, and the signal still ends the program`, async () => {
      const path = tracePath();
      const child = await start(buildProgram(compiler, WAITS), path);
      await sleep(50);
      child.kill(signal);
      assert.is((await ended(child)).signal, signal);
      const trace = readTrace(path);
      checkTotals(trace);
      assert.is(trace.end?.signal, number);
      const main = accesses(trace).filter(({ thread }) => thread === 0);
      const stores = main.filter(({ kind }) => kind === 1);
      assert.is(stores.length, 1000);
      assert.ok(stores.every(({ address }, i) => address === stores[0].address + 8 * i));
      assert.ok(accesses(trace).some(({ thread }) => thread === 1));
    });
  }

  test("the program's own handler of SIGTERM runs, and its _exit() leaves a whole trace", async () => {
    const path = tracePath();
    const child = await start(buildProgram(compiler, WAITS), path, { OWN_HANDLER: "1" });
    await sleep(20);
    child.kill("SIGTERM");
    assert.is((await ended(child)).code, 7);
    const trace = readTrace(path);
    checkTotals(trace);
    assert.is(trace.end?.signal, 0);
    const stores = accesses(trace).filter(({ thread, kind }) => thread === 0 && kind === 1);
    assert.is(stores.length, 1001);
    assert.is(stores[1000].address, stores[0].address);
  });

  test("SIGKILL: all whole blocks are there, without a gap", async () => {
    const path = tracePath();
    const child = await start(buildProgram(compiler, COUNTS), path);
    for (let i = 0; i < 500 && statSync(path).size < 4_000; i++) await sleep(10);
    child.kill("SIGKILL");
    assert.is((await ended(child)).signal, "SIGKILL");
    const trace = readTrace(path);
    assert.is(trace.end, null);
    assert.ok(trace.blocks.length > 3);
    const all = trace.blocks.slice(0, 50).flatMap(({ records }) => records.filter(({ kind }) => kind === 1));
    assert.ok(all.length > 40_000);
    assert.ok(all.every(({ address }, i) => address === all[0].address + 8 * (i & 0xffff)));
  });

  test("fork, vfork and exec: each process writes its own accesses to its own file", () => {
    const { path, trace, stdout, status } = record(buildProgram(compiler, FORKS));
    assert.is(status, 0);
    const at = printed(stdout);
    const stores = (of: typeof trace): number[] =>
      accessesIn(of, at.get("data")!, 800)
        .filter((text) => text.startsWith("S"))
        .map((text) => parseInt(text.slice(2)) / 8);
    const row = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
    checkTotals(trace);
    assert.equal(stores(trace), [...row(0, 10), ...row(20, 30), 40]);
    const others = tracesOf(path).map(readTrace);
    others.forEach(checkTotals);
    // Where the program was started again its data may be elsewhere.
    const child = others.filter((of) => stores(of).length === 10);
    assert.equal(child.map(stores), [row(10, 20)]);
    const again = others.filter(({ program }) => program.endsWith(" again"));
    assert.is(again.length, 1);
    const last = accesses(again[0]).filter(({ kind }) => kind === 1);
    assert.is(last.length, 3);
  });

  test("signal handlers and forks in the middle of hooks: nothing hangs, and what is lost is counted", () => {
    const { path, trace, stdout, status } = record(buildProgram(compiler, DISTURBED));
    assert.is(status, 0);
    const at = printed(stdout);
    checkTotals(trace);
    const main = trace.blocks.filter(({ thread }) => thread === 0).flatMap(({ records }) => records);
    const data = at.get("data")!;
    const own = main.filter(({ kind, address }) => kind === 1 && address >= data && address < data + 8192);
    assert.is(own.length, 20 * 20000, "the interrupted code loses nothing");
    assert.ok(own.every(({ address }, i) => address === data + 8 * ((i % 20000) & 1023)));
    const seen = at.get("seen")!;
    const handled = accesses(trace).filter(
      ({ kind, address }) => kind === 1 && address >= seen && address < seen + 400,
    );
    const all = at.get("handled")! * 50;
    assert.ok(
      handled.length <= all && handled.length + trace.end!.lost >= all,
      `${handled.length} of ${all}`,
    );
    const children = tracesOf(path);
    assert.is(children.length, 20);
    for (const child of children.slice(0, 5)) {
      const { blocks, end } = readTrace(child);
      assert.is(end?.signal, 0);
      assert.ok(blocks.flatMap(({ records }) => records).filter(({ kind }) => kind === 1).length >= 20000);
    }
  });

  test("a program without accesses leaves an empty trace", () => {
    const { trace, path } = record(buildProgram(compiler, "int main(void) { return 0; }\n"));
    checkTotals(trace);
    assert.equal(accesses(trace), []);
    assert.ok(existsSync(path));
  });
});
