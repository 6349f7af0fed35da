/** The parallel device: µTLBs, batches, duplicates, orders of warps, throttled CPUs. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Batch } from "../../../../src/sim/driver/fault-buffer.ts";
import type { Machine } from "../../../../src/sim/driver/machine.ts";
import type { MachineOptions } from "../../../../src/sim/driver/machine-options.ts";
import { CPU } from "../../../../src/sim/driver/processor.ts";
import { noPrefetcher } from "../../../../src/sim/policies/density.ts";
import type { Access } from "../../../../src/sim.ts";
import { access, BLOCK, END, LOAD, machine, PAGE, STORE, sweep, WRITE } from "./machines.ts";

const BASE = 0x40000000;
const FIRST = BASE / PAGE;

/**
 * Runs the device's accesses without prefetch. Returns the batches: their pages from BASE on, and entries.
 */
function batches(accesses: readonly Partial<Access>[], options: Partial<MachineOptions> = {}) {
  const gpu = machine({ prefetcher: noPrefetcher, ...options });
  const seen: (Batch & { first: number[] })[] = [];
  const serve = gpu.driver.serveBatch.bind(gpu.driver);
  gpu.driver.serveBatch = (device, batch) => {
    seen.push({ ...batch, first: batch.pages.map(({ page }) => page - FIRST) });
    serve(device, batch);
  };
  access(gpu, accesses);
  return seen;
}
const entries = (all: readonly Batch[]): number[] => all.map(({ entries }) => entries);
const at = (page: number, thread: number, how: Partial<Access> = LOAD): Partial<Access> => ({
  ...how,
  address: BASE + page * PAGE,
  thread,
});

const device = suite("driver: parallel device");
device(
  "loads since the last store are outstanding together; a store waits for them, and all that follows for it",
  () => {
    const all = batches([at(0, 0), at(1, 0), { ...STORE, address: BASE + 2 * PAGE }, at(3, 0), at(4, 0)]);
    assert.equal(
      all.map(({ first }) => first),
      [[0, 1], [2], [3, 4]],
    );
  },
);
device("a µTLB has 56 outstanding faults; the rest wait in it until the replay", () => {
  assert.equal(entries(batches(sweep(BASE, 150, LOAD))), [56, 56, 38]);
  assert.equal(entries(batches(sweep(BASE, 5, LOAD), { device: { outstanding: 2 } })), [2, 2, 1]);
});
device("two neighboring SMs share a µTLB, and warps go to SMs in turn", () => {
  const loads = (warps: readonly number[]): Partial<Access>[] =>
    warps.flatMap((warp, i) =>
      sweep(BASE + i * 40 * PAGE, 40, LOAD).map((one) => ({ ...one, thread: 32 * warp })),
    );
  assert.equal(entries(batches(loads([0, 1]))), [56, 24]);
  assert.equal(entries(batches(loads([0, 2]))), [80]);
  assert.equal(entries(batches(loads([0, 4]), { device: { sms: 4 } })), [56, 24]);
});
device("a batch has 256 entries, and the others come again after the replay", () => {
  const warps = Array.from({ length: 6 }, (_, i) =>
    sweep(BASE + i * 50 * PAGE, 50, LOAD).map((one) => ({ ...one, thread: 64 * i })),
  );
  assert.equal(entries(batches(warps.flat())), [256, 44]);
});
device("faults of several warps on one page are entries of their own", () => {
  const [batch] = batches([at(7, 0), at(7, 64, STORE), at(7, 128)]);
  assert.is(batch.entries, 3);
  assert.is(batch.duplicates, 2);
  assert.is(batch.flush, "put");
});
device("accesses that waited come again in order of first arrival, before new ones", () => {
  // With two outstanding: warp 0 loads pages 0-3, warp 1 (the same µTLB) loads 10 and stores to 11.
  const all = batches([...[0, 1, 2, 3].map((page) => at(page, 0)), at(10, 32), at(11, 32, STORE)], {
    device: { outstanding: 2 },
  });
  // In turn: 0, 10, 1, 2, 3. The store arrives after the replay that served 10, after 1, 2 and 3.
  assert.equal(
    all.map(({ first }) => first),
    [
      [0, 10],
      [1, 2],
      [3, 11],
    ],
  );
});
device("an access that found its page is done for good, even if the page is evicted later", () => {
  // One chunk, two blocks in one instruction: each batch brings one of them.
  const all = batches([at(0, 0), { ...LOAD, address: BASE + BLOCK, thread: 1 }], { chunks: 1 });
  assert.equal(
    all.map(({ first }) => first),
    [[0, 512], [0]],
  );
});
device("a kernel's end comes after all of its accesses", () => {
  const all = batches([at(0, 0), END, at(1, 0)]);
  assert.equal(entries(all), [1, 1]);
});
device("the same seed gives the same batches, and other seeds other orders", () => {
  const loads = Array.from({ length: 64 }, (_, warp) =>
    [0, 1, 2, 3, 4].map((i) => at(5 * warp + i, 32 * warp)),
  ).flat();
  const run = (seed: number): string =>
    JSON.stringify(batches(loads, { device: { sms: 2, outstanding: 56, seed } }).map(({ first }) => first));
  assert.is(run(3), run(3));
  assert.is.not(run(3), run(4));
  assert.is.not(run(0), run(4));
});
device.run();

const remote = suite("driver: remote accesses");
remote("an access of a warp to one page is one, and its distinct 32-byte sectors are counted", () => {
  const gpu = machine();
  access(gpu, sweep(BASE, 512, WRITE));
  gpu.driver.advise(BASE, BLOCK, 5, 1);
  access(
    gpu,
    Array.from({ length: 32 }, (_, thread) => ({ ...LOAD, address: BASE + 4 * thread, thread })),
  );
  assert.equal(gpu.remote, { loads: 1, stores: 0, sectors: 4 });
});
remote.run();

const pingPong = suite("driver: thrashing of a CPU and a device");
/** The CPU and the device store to one page in turn, each as soon as it may. */
function play(rounds: number): Machine {
  const gpu = machine({ prefetcher: noPrefetcher });
  for (let i = 0; i < rounds; i++) access(gpu, [{ ...(i % 2 === 0 ? WRITE : STORE), address: BASE }]);
  return gpu;
}
pingPong("the loser is throttled, and the page ends in RAM, where the device maps it", () => {
  const gpu = play(80);
  assert.ok(gpu.counts.throttles >= 10);
  assert.ok(gpu.counts.pins > 0);
  assert.is(gpu.memory.block(BASE / BLOCK).holders(0), 1 << CPU);
  const { cpuFaults, devicePages } = gpu.counts;
  access(gpu, [{ ...STORE, address: BASE }]);
  access(gpu, [{ ...WRITE, address: BASE }]);
  assert.equal([gpu.counts.cpuFaults, gpu.counts.devicePages], [cpuFaults, devicePages], "both map it now");
});
pingPong("after 150 ms the pin is over: the page goes to the device again", () => {
  const gpu = play(80);
  gpu.clock.pass(151e6);
  // Any service ends the pins whose time has come.
  access(gpu, [{ ...WRITE, address: BASE + BLOCK }]);
  access(gpu, [{ ...STORE, address: BASE }]);
  assert.is(gpu.memory.block(BASE / BLOCK).holders(0), 2);
});
pingPong("without detection the page goes back and forth for ever", () => {
  const gpu = machine({ prefetcher: noPrefetcher, thrashing: false });
  for (let i = 0; i < 80; i++) access(gpu, [{ ...(i % 2 === 0 ? WRITE : STORE), address: BASE }]);
  assert.is(gpu.counts.cpuFaults, 40);
  assert.is(gpu.counts.devicePages, 40);
});
pingPong.run();
