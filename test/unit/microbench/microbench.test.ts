/** The programs of `heteromem bench`: each does what it says, and names choose them. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { measured } from "../../../src/microbench/measure.ts";
import { chosen, MICROBENCHMARKS } from "../../../src/microbench/programs.ts";
import type { Microbenchmark } from "../../../src/microbench/program.ts";

const test = suite("microbenchmarks");

/** The large buffers do what the small ones do, and take seconds. */
const isLarge = ({ name }: Microbenchmark): boolean => /\/(?:1|8|32|128)MiB$/.test(name);

for (const program of MICROBENCHMARKS.filter((some) => !isLarge(some))) {
  test(`${program.name} repeats its work`, async () => {
    const work = await program.open();
    // check() compares what a repetition did; the second one begins where the first one ended.
    for (let i = 0; i < 2; i++) {
      work.prepare?.();
      work.run();
      work.check();
    }
    assert.ok(work.units >= 1);
    work.close();
  });
}

test("a repetition that does nothing is noticed", async () => {
  for (const name of [
    "fault/store",
    "fault/back/4KiB",
    "fault/device",
    "mprotect/1-mirror",
    "munmap/4-mirrors",
  ]) {
    const [program] = chosen([name]) as readonly Microbenchmark[];
    const work = await program.open();
    work.prepare?.();
    assert.throws(() => work.check(), /expected/, name);
    work.close();
  }
});

test("a figure is of at least eight repetitions, and its quartiles are in order", async () => {
  const [program] = chosen(["fault/device"]) as readonly Microbenchmark[];
  const { name, unit, units, repetitions, ns, gbps } = await measured(program, 0.001);
  assert.equal([name, unit, units, gbps], ["fault/device", "page", 1024, null]);
  assert.ok(repetitions >= 8, `${repetitions}`);
  assert.ok(0 < ns.min && ns.min <= ns.p25 && ns.p25 <= ns.median && ns.median <= ns.p75, JSON.stringify(ns));
});

test("what a repetition copies is given by its median in GB/s", async () => {
  const [program] = chosen(["migrate/to-device/64KiB"]) as readonly Microbenchmark[];
  const { ns, units, gbps } = await measured(program, 0.001);
  // 256 pages of 4096 bytes in as many nanoseconds as the median says.
  assert.is(units, 256);
  assert.ok(Math.abs(gbps! - 4096 / ns.median) < 1e-9 * gbps!);
});

test("names choose programs, whole or by their beginning, in the order of the list", () => {
  const names = (...parts: string[]): unknown => {
    const found = chosen(parts);
    return typeof found === "string" ? found : found.map(({ name }) => name);
  };
  assert.is(chosen([]), MICROBENCHMARKS);
  assert.is(new Set(MICROBENCHMARKS.map(({ name }) => name)).size, MICROBENCHMARKS.length);
  assert.equal(names("munmap", "mprotect/4-mirrors"), [
    "mprotect/4-mirrors",
    "munmap/1-mirror",
    "munmap/4-mirrors",
  ]);
  assert.equal(names("fork"), ["fork", "fork/copy-on-write"]);
  assert.is(names("fork", "migrate/to"), "migrate/to");
});

test.run();
