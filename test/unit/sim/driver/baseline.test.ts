/** The baselines: programs that copy their arrays themselves, before and after kernels or once. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openWorkload, simulate, Simulation, type SimulationConfig } from "../../../../src/sim.ts";
import { access, BLOCK, END, LOAD, machine, PAGE, profile, READ, STORE, sweep, WRITE } from "./machines.ts";

const MIB = 2 ** 20;
const X = 0x10000000;
const Y = X + BLOCK;
const BEGIN = { kind: "kernelBegin", size: 0 } as const;

/** A machine with arrays of 1 MiB at X and 2 MiB at Y. */
function copying(placement: "explicit" | "resident", chunks = 8) {
  const gpu = machine({ placement, chunks });
  gpu.memory.allocate(X, MIB);
  gpu.baseline!.array(X, MIB);
  gpu.baseline!.array(Y, 2 * MIB);
  return gpu;
}
/** A kernel that loads a page of x and stores to one of y. */
const KERNEL = [BEGIN, { ...LOAD, address: X + 5 * PAGE }, { ...STORE, address: Y + 7 * PAGE }, END];

const test = suite("driver: baselines");
test("explicit: x and y go before each kernel, y comes back after it, and the device keeps nothing", () => {
  const gpu = copying("explicit");
  access(gpu, [...sweep(X, 256, WRITE), ...sweep(Y, 512, WRITE)]);
  for (const n of [1, 2, 3]) {
    access(gpu, KERNEL);
    assert.equal(profile(gpu), {
      toDevice: { count: 2 * n, bytes: n * 3 * MIB },
      toHost: { count: n, bytes: n * 2 * MIB },
      groups: 0,
      cpuFaults: 0,
    });
    assert.is(gpu.counts.pagesNow, 0);
  }
  assert.equal(gpu.transfers.counts.toDevice.copy.sizes, { 1024: 3, 2048: 3 });
  assert.is(gpu.counts.pagesOutDirty, 3); // the page that each kernel stored to
});
test("resident: an array is copied only after the other side has written it", () => {
  const gpu = copying("resident");
  access(gpu, [...sweep(X, 256, WRITE), ...sweep(Y, 512, WRITE)]);
  access(gpu, [...KERNEL, ...KERNEL]);
  assert.equal([profile(gpu).toDevice, profile(gpu).toHost.count], [{ count: 2, bytes: 3 * MIB }, 0]);
  // The CPU reads x, whose copy in RAM is good, and y, which comes back; then both sides read their copies.
  access(gpu, [...sweep(X, 256, READ), ...sweep(Y, 512, READ), ...KERNEL.slice(0, 2), END]);
  assert.equal([profile(gpu).toDevice.count, profile(gpu).toHost], [2, { count: 1, bytes: 2 * MIB }]);
  // A store of the CPU to x makes the device's copy old: one page of 1 MiB costs the whole array.
  access(gpu, [{ ...WRITE, address: X }, ...KERNEL]);
  assert.equal(profile(gpu).toDevice, { count: 3, bytes: 4 * MIB });
});
test("an array that nobody has written is made on the device, without a copy", () => {
  for (const placement of ["explicit", "resident"] as const) {
    const gpu = copying(placement);
    access(gpu, [BEGIN, { ...STORE, address: Y }, END, { ...READ, address: Y }]);
    assert.equal([profile(gpu).toDevice.count, profile(gpu).toHost], [0, { count: 1, bytes: 2 * MIB }]);
  }
});
test("what belongs to no array is copied by 2 MiB; a kernel within another ends with it", () => {
  const gpu = copying("explicit");
  const at = X + 8 * MIB + 5 * PAGE;
  access(gpu, [
    { ...WRITE, address: at },
    BEGIN,
    { ...STORE, address: at },
    BEGIN,
    END,
    { ...LOAD, address: at },
    END,
  ]);
  assert.equal([profile(gpu).toDevice, profile(gpu).toHost].flatMap(Object.values), [1, 2 * MIB, 1, 2 * MIB]);
});
test("arrays that do not fit are refused by name of the memory", async () => {
  const workload = "add:size=8MiB,grain=4KiB";
  for (const memoryModel of ["hmm", "managed"] as const)
    for (const placement of ["explicit", "resident"] as const)
      await simulate(openWorkload(workload), { memoryModel, placement, deviceMemory: "6MiB" }).then(
        () => assert.unreachable(),
        (error: Error) =>
          assert.is(
            error.message,
            "deviceMemory 6144KiB is too small for this trace: " +
              `with placement ${placement} all arrays that the device uses must fit`,
          ),
      );
});
test("the tutorial's add, in both memory models: three copies of 4 MiB, and no fault", async () => {
  for (const memoryModel of ["hmm", "managed"] as const) {
    for (const [placement, iterations, toDevice, toHost] of [
      ["explicit", 1, 2, 1],
      ["resident", 1, 2, 1],
      ["explicit", 3, 6, 3],
      ["resident", 3, 2, 1],
    ] as const) {
      const config: SimulationConfig = { memoryModel, placement, systemMemory: "64MiB" };
      using simulation = await Simulation.create(config);
      const workload = openWorkload(`add:size=8MiB,grain=4KiB,iterations=${iterations}`);
      for (const { name, start, bytes } of workload.ranges) simulation.nameRange(name, start, bytes);
      for (const block of workload.blocks()) {
        simulation.feed(block);
        simulation.verify();
      }
      const { managed, faults, accesses } = simulation.report();
      assert.equal([managed.transfersToDevice, managed.bytesToDevice], [toDevice, toDevice * 4 * MIB]);
      assert.equal([managed.transfersToHost, managed.bytesToHost], [toHost, toHost * 4 * MIB]);
      assert.equal(
        [faults, accesses.device.ram],
        [
          { cpu: 0, device: 0 },
          { loads: 0, stores: 0 },
        ],
      );
    }
  }
});
test.run();
