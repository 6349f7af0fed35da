/** Counts that real GPUs gave: the CUDA tutorial's add, hotspot on a GTX 1080 Ti, a Titan V's fault logs. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { noPrefetcher } from "../../../../src/sim/policies/density.ts";
import { access, BLOCK, END, LOAD, machine, PAGE, profile, READ, STORE, sweep, WRITE } from "./machines.ts";
import type { Access } from "../../../../src/sim.ts";

const MIB = 2 ** 20;

const add = suite("driver: add on seven GPUs");
const X = 0x10000000;
const Y = X + 4 * MIB;

function addAccesses(): Partial<Access>[] {
  return [
    ...sweep(X, 1024, WRITE),
    ...sweep(Y, 1024, WRITE),
    ...Array.from({ length: 1024 }, (_, i) => [
      { ...LOAD, address: X + i * PAGE },
      { ...LOAD, address: Y + i * PAGE },
      { ...STORE, address: Y + i * PAGE },
    ]).flat(),
    ...sweep(Y, 1024, READ),
  ];
}

add("48 transfers to the device, 24 back, 12 fault groups, 36 CPU faults", () => {
  const gpu = machine();
  access(gpu, addAccesses());
  assert.equal(profile(gpu), {
    toDevice: { count: 48, bytes: 8 * MIB },
    toHost: { count: 24, bytes: 4 * MIB },
    groups: 12,
    cpuFaults: 36,
  });
});
add("in each region: 4, 60, 4, 60, 4, 124, 4, 252, 4, 508, 4, 1020 KiB", () => {
  const gpu = machine();
  access(gpu, addAccesses());
  // Four regions came in, and two went back.
  for (const [direction, regions] of [
    ["toDevice", 4],
    ["toHost", 2],
  ] as const) {
    const { fault, prefetch } = gpu.transfers.counts[direction];
    assert.equal(fault.sizes, { 4: 6 * regions });
    const sizes = { 60: 2 * regions, 124: regions, 252: regions, 508: regions, 1020: regions };
    assert.equal(prefetch.sizes, sizes);
  }
});
add("every page that was prefetched is used", () => {
  const gpu = machine();
  access(gpu, addAccesses());
  // 4 regions of 512 pages less 6 faults each. y leaves the device, all of it written.
  assert.is(gpu.counts.prefetched, 4 * 506);
  assert.is(gpu.counts.prefetchedUsed, 4 * 506);
  assert.is(gpu.counts.prefetchedUnused, 0);
  assert.is(gpu.counts.pagesOutDirty, 1024);
});
add.run();

const hotspot = suite("driver: hotspot on a GTX 1080 Ti with 12 MiB left");
hotspot("H2D 44.0 MiB, D2H 43 transfers of 42.0 MiB, 36 CPU faults", () => {
  const gpu = machine({ chunks: Math.floor(12 / 2) - 1 });
  const [a, b, power] = [0xc0000000, 0xc0400000, 0xc0800000];
  access(gpu, [...sweep(a, 1024, WRITE), ...sweep(power, 1024, WRITE)]);
  let [from, to] = [a, b];
  for (let kernel = 0; kernel < 4; kernel++) {
    access(gpu, [
      ...Array.from({ length: 1024 }, (_, i) => [
        { ...LOAD, address: from + i * PAGE },
        { ...LOAD, address: power + i * PAGE },
        { ...STORE, address: to + i * PAGE },
      ]).flat(),
      END,
    ]);
    [from, to] = [to, from];
  }
  access(gpu, sweep(a, 1024, READ));
  assert.equal(profile(gpu), {
    toDevice: { count: 276, bytes: 44 * MIB },
    toHost: { count: 43, bytes: 42 * MIB },
    groups: 102,
    cpuFaults: 36,
  });
});
hotspot.run();

const titan = suite("driver: one warp on a Titan V");
/** c[i] = a[i] + b[i] by 32 threads, a page each; b is loaded first, as the device's timestamps show. */
function vectorAdd(first: "a" | "b" = "b"): Partial<Access>[] {
  const [a, b, c] = [0x20000000, 0x20000000 + BLOCK, 0x20000000 + 2 * BLOCK];
  const warp = (start: number, how: Partial<Access>): Partial<Access>[] =>
    sweep(start, 32, how).map((one, thread) => ({ ...one, thread }));
  const loads = first === "b" ? [...warp(b, LOAD), ...warp(a, LOAD)] : [...warp(a, LOAD), ...warp(b, LOAD)];
  return [...loads, ...warp(c, STORE)];
}
/** Runs it and returns the entries of each batch. */
function batches(prefetch: boolean, accesses: readonly Partial<Access>[]): number[][] {
  const gpu = machine(prefetch ? {} : { prefetcher: noPrefetcher });
  access(
    gpu,
    [0, 1].flatMap((block) => sweep(0x20000000 + block * BLOCK, 512, WRITE)),
  );
  const seen: number[][] = [];
  const { driver } = gpu;
  const serve = driver.serveBatch.bind(driver);
  driver.serveBatch = (device, batch) => {
    const blocks = batch.pages.map(({ page }) => Math.floor(page / 512) - 0x20000000 / BLOCK);
    seen.push([0, 1, 2].map((block) => blocks.filter((one) => one === block).length));
    assert.is(batch.duplicates, 0);
    serve(device, batch);
  };
  access(gpu, accesses);
  return seen;
}
titan("without prefetch: 24 pages of a and 32 of b, then 8 of a, then 32 of c", () => {
  assert.equal(batches(false, vectorAdd()), [
    [24, 32, 0],
    [8, 0, 0],
    [0, 0, 32],
  ]);
});
titan("with prefetch the second batch does not happen", () => {
  assert.equal(batches(true, vectorAdd()), [
    [24, 32, 0],
    [0, 0, 32],
  ]);
});
titan("with a loaded first: 32 of a and 24 of b, then 8 of b", () => {
  assert.equal(batches(false, vectorAdd("a")), [
    [32, 24, 0],
    [0, 8, 0],
    [0, 0, 32],
  ]);
});
titan.run();
