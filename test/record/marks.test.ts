/**
 * What a program and its environment tell the recorder, how the file is written, and what is said about
 * mistakes.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { EVENT, NO_DEVICE, accesses, events } from "../util/hmt.ts";
import {
  accessesIn,
  buildProgram,
  checkTotals,
  folder,
  printed,
  readTrace,
  record,
  recorderObject,
  withCompilers,
} from "./recorder.ts";

const MARKS = `
#include "heteromem-record.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
static volatile int data[16];
static jmp_buf out;
static void *other(void *p) { data[3] = 1; return p; }
__attribute__((noinline)) static void inner(void) { data[7] = 1; }
__attribute__((noinline)) void kernel(int jump)
{
	char deep[256];
	((volatile char *)deep)[jump] = 0;
	data[6] = 1;
	inner();
	if (jump)
		longjmp(out, 1);
	data[8] = 1;
}
__attribute__((noinline)) void kernel_of_another(void) { data[9] = 1; }
int main(void)
{
	pthread_t thread;
	hm_range("data", (void *)data, sizeof data);
	hm_advise((void *)data, 32, HM_SET_PREFERRED_LOCATION, 1);
	hm_advise((void *)data, 64, HM_SET_READ_MOSTLY, HM_CPU);
	hm_prefetch((void *)data, 64, 2);
	hm_prefetch((void *)data, 16, HM_CPU);
	data[0] = 1;
	hm_device_begin("outer", 3);
	data[1] = 1;
	hm_device_begin("inner", 0);
	data[2] = 1;
	pthread_create(&thread, NULL, other, NULL);
	pthread_join(thread, NULL);
	hm_device_end();
	data[4] = 1;
	hm_device_end();
	data[5] = 1;
	kernel(0);
	kernel_of_another();
	if (!setjmp(out))
		kernel(1);
	kernel_of_another();
	data[10] = 1;
	printf("data %p\\n", (void *)data);
	return 0;
}
`;

withCompilers("marks", (test, compiler) => {
  test("sections of a device, ranges, advice and prefetches", () => {
    const { trace, stdout, stderr, status } = record(buildProgram(compiler, MARKS));
    assert.is(stderr, "");
    assert.is(status, 0);
    checkTotals(trace);
    const data = printed(stdout).get("data")!;
    const agents = accesses(trace)
      .filter(({ address, kind }) => kind === 1 && address >= data && address < data + 64)
      .map(({ address, agent }) => [(address - data) / 4, agent]);
    assert.equal(agents.slice(0, 6), [
      [0, 0],
      [1, 4],
      [2, 1],
      [3, 1],
      [4, 4],
      [5, 0],
    ]);
    assert.ok(agents.slice(6).every(([, agent]) => agent === 0));
    const marks = events(trace)
      .filter(({ kind }) => kind < EVENT.THREAD_START)
      .map((event) => [
        event.kind,
        event.text,
        event.address && event.address - data,
        event.bytes,
        event.device,
      ]);
    assert.equal(marks, [
      [EVENT.RANGE, "data", 0, 64, NO_DEVICE],
      [EVENT.ADVISE, "", 0, 32, 1],
      [EVENT.ADVISE, "", 0, 64, NO_DEVICE],
      [EVENT.PREFETCH, "", 0, 64, 2],
      [EVENT.PREFETCH, "", 0, 16, NO_DEVICE],
      [EVENT.DEVICE_BEGIN, "outer", 0, 0, 3],
      [EVENT.DEVICE_BEGIN, "inner", 0, 0, 0],
      [EVENT.DEVICE_END, "", 0, 0, 0],
      [EVENT.DEVICE_END, "", 0, 0, 3],
    ]);
    const advice = events(trace).filter(({ kind }) => kind === EVENT.ADVISE);
    assert.equal(
      advice.map((event) => event.advice),
      [3, 1],
    );
  });

  for (const pie of [["-pie"], ["-no-pie"]]) {
    test(`HETEROMEM_DEVICE: a function and its calls, until it returns or jumps away (${pie[0]})`, () => {
      const program = buildProgram(compiler, MARKS, {
        flags: [pie[0] === "-pie" ? "-fpie" : "-fno-pie"],
        link: pie,
      });
      const { trace, stdout, stderr } = record(program, [], { HETEROMEM_DEVICE: "kernel,nothing,kern" });
      assert.match(stderr, /^heteromem-record: HETEROMEM_DEVICE: \S+ has no function nothing; if it was/);
      assert.match(stderr, /has no function kern;/);
      assert.is(stderr.split("\n").length, 3);
      const data = printed(stdout).get("data")!;
      const agents = accesses(trace)
        .filter(({ address, kind }) => kind === 1 && address >= data + 24 && address < data + 64)
        .map(({ address, agent }) => [(address - data) / 4, agent]);
      const expected = [
        [6, 1],
        [7, 1],
        [8, 1],
        [9, 0],
        [6, 1],
        [7, 1],
        [9, 0],
        [10, 0],
      ];
      assert.equal(agents, expected);
      const marks = events(trace).filter(({ text }) => text === "kernel");
      assert.is(marks.length, 2);
    });
  }

  test("wrong arguments are named, and end the program", () => {
    const program = (call: string): string =>
      buildProgram(compiler, `#include "heteromem-record.h"\nint main(void) { ${call}; return 0; }\n`);
    const cases: [string, RegExp][] = [
      ['hm_device_begin("k", 254)', /hm_device_begin\("k", 254\): expected a device from 0 to 253/],
      ['hm_device_begin("k", -1)', /hm_device_begin\("k", -1\): expected a device from 0 to 253/],
      ["hm_prefetch((void *)4096, 1, 300)", /hm_prefetch: device 300: expected HM_CPU or a device from 0/],
      ["hm_advise((void *)4096, 1, 7, 0)", /hm_advise: advice 7: expected one of enum hm_advice/],
    ];
    for (const [call, message] of cases) {
      const { status, stderr } = record(program(call));
      assert.is(status, 2);
      assert.match(stderr, message);
    }
    const { status, stderr } = record(program("hm_device_end()"));
    assert.is(status, 0);
    assert.match(stderr, /hm_device_end\(\) without hm_device_begin\(\)/);
  });

  test("where the trace goes: HETEROMEM_TRACE, the current directory, nowhere; errors at once", () => {
    const program = buildProgram(compiler, MARKS);
    const inFolder = (env: NodeJS.ProcessEnv) => {
      const cwd = join(folder, `cwd-${compiler}`);
      mkdirSync(cwd, { recursive: true });
      const { status, stderr, stdout } = spawnSync(program, { cwd, encoding: "utf8", env });
      return { status, stderr, stdout, made: join(cwd, `${program.slice(folder.length + 1)}.hmt`) };
    };
    const off = inFolder({ HETEROMEM_TRACE: "" });
    assert.equal([off.status, off.stderr, existsSync(off.made)], [0, "", false]);
    const byDefault = inFolder({});
    assert.is(byDefault.status, 0);
    checkTotals(readTrace(byDefault.made));
    const wrong = inFolder({ HETEROMEM_TRACE: "/nowhere/at/all.hmt" });
    assert.is(wrong.status, 2);
    assert.is(wrong.stdout, "");
    assert.match(
      wrong.stderr,
      /^heteromem-record: cannot write the trace to \/nowhere\/at\/all.hmt: No such file/,
    );
    const blocks = inFolder({ HETEROMEM_BLOCKS: "4k" });
    assert.is(blocks.status, 2);
    assert.match(blocks.stderr, /HETEROMEM_BLOCKS=4k: expected a number of bytes/);
    const full = inFolder({ HETEROMEM_TRACE: "/dev/full" });
    assert.is(full.status, 0);
    assert.match(
      full.stderr,
      /^heteromem-record: \/dev\/full: No space left on device; the trace ends here\n$/,
    );
  });

  test("a stripped program: functions cannot be found, and that is said", () => {
    const program = buildProgram(compiler, MARKS, { link: ["-s"] });
    const { status, stderr } = record(program, [], { HETEROMEM_DEVICE: "kernel" });
    assert.is(status, 0);
    assert.match(stderr, /has no symbol table \(\.symtab\); do not strip it/);
  });

  test("HETEROMEM_OFF: the header makes nothing of the marks, and no recorder is needed", () => {
    const source = join(folder, "off.c");
    const program = join(folder, `off-${compiler}`);
    writeFileSync(source, MARKS);
    const args = ["-O1", "-DHETEROMEM_OFF", "-Irecord", source, "-o", program, "-pthread"];
    assert.is(spawnSync(compiler, args).status, 0);
    assert.is(spawnSync(program).status, 0);
  });

  test("a static program", () => {
    const options = { recorder: ["-DHETEROMEM_STATIC"], link: ["-static"] };
    const { trace, stdout, stderr, status } = record(buildProgram(compiler, MARKS, options));
    assert.is(stderr, "");
    assert.is(status, 0);
    checkTotals(trace);
    const data = printed(stdout).get("data")!;
    const stores = accessesIn(trace, data, 64).filter((text) => text.startsWith("S "));
    assert.is(stores.length, 14);
  });

  test("a shared library of the program is recorded, memcpy included, with code addresses of its own", () => {
    const source = join(folder, "library.c");
    const library = join(folder, `lib-${compiler}.so`);
    writeFileSync(
      source,
      `#include <string.h>
       void fill(char *to, const char *from, unsigned long n) { to[0] = 1; memcpy(to + 1, from, n); }\n`,
    );
    const made = spawnSync(compiler, [
      "-O1",
      "-fsanitize=thread",
      "-fPIC",
      "-c",
      source,
      "-o",
      `${library}.o`,
    ]);
    assert.is(made.status, 0, String(made.stderr));
    const linked = spawnSync(compiler, ["-shared", "-nostartfiles", `${library}.o`, "-o", library]);
    assert.is(linked.status, 0, String(linked.stderr));
    const main = `
      #include <stdio.h>
      #include <dlfcn.h>
      char data[300];
      int main(int argc, char **argv)
      {
        void (*fill)(char *, const char *, unsigned long) = dlsym(dlopen(argv[1], RTLD_NOW), "fill");
        fill(data, data + 100, 50);
        printf("data %p\\nargc %d\\n", data, argc);
        return data[0] != 1;
      }`;
    const program = buildProgram(compiler, main, { link: ["-rdynamic"] });
    const { trace, stdout, status, stderr } = record(program, [library]);
    assert.is(status, 0, stderr);
    const data = printed(stdout).get("data")!;
    assert.equal(accessesIn(trace, data, 300).slice(0, 3), ["S 0,1", "L* 100,50", "S* 1,50"]);
    const module = trace.modules.find(({ path }) => path === library)!;
    const [store] = accesses(trace).filter(({ address }) => address === data);
    assert.ok(store.code >= module.code && store.code < module.code + module.bytes);
  });

  test("the recorder refuses to be compiled with its own hooks", () => {
    recorderObject(compiler);
    const { status, stderr } = spawnSync(
      compiler,
      ["-fsanitize=thread", "-c", "record/heteromem-record.c", "-o", join(folder, "never.o")],
      { encoding: "utf8" },
    );
    assert.is.not(status, 0);
    assert.match(stderr, /compile heteromem-record.c without -fsanitize=thread/);
  });
});
