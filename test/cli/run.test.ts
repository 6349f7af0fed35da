/** `heteromem run` from end to end, on small traces that this file writes. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { RunReport } from "../../src/cli/report.ts";
import { file, heteromem, report } from "./command.ts";
import { Model, readAccesses } from "./model.ts";
import { KERNEL, KERNEL_RANGE, Program, PROGRAM } from "./program.ts";

const cli = suite("heteromem run");

const OPTIONS = ["--offload", KERNEL_RANGE, "--device-memory", "128KiB"];
const TRACE_LINES = PROGRAM.text.split("\n").length - 1;
const trace = file("program.lackey", PROGRAM.text);
/** Returns the report of the trace with the usual options. */
let usual: RunReport;
cli.before(() => {
  usual = report(trace, ...OPTIONS);
});

cli("counts what the trace says, by agent", () => {
  const { accesses, trace: counts, offload, faults } = usual;
  const ram = { loads: 0, stores: 0 };
  const expected = { cpu: { loads: 0, stores: 0 }, device: { loads: 0, stores: 0, ram, peer: { ...ram } } };
  for (const { agent, access } of PROGRAM.accesses) {
    if (access[0] !== "S") expected[agent].loads++;
    if (access[0] !== "L") expected[agent].stores++;
  }
  assert.equal(accesses, expected);
  assert.is(counts.accesses, PROGRAM.accesses.length);
  assert.is(counts.lines, TRACE_LINES);
  assert.is(counts.instructions, PROGRAM.lines.filter((line) => line.startsWith("I")).length);
  assert.is(counts.skippedKernel, 1);
  assert.is(counts.comments, 5);
  assert.equal(offload, [{ name: "kernel", start: "0x402000", end: "0x402100", entries: 4 }]);
  assert.ok(faults.device > 0);
});

cli("an allocation that fails is reported, and changes nothing that the program could see", () => {
  assert.is(usual.failedAllocation, null);
  const outcomes = new Set<boolean>();
  for (const n of [1, 2, 25, 400]) {
    const got = report(trace, ...OPTIONS, "--fail-alloc", `${n}`);
    const failed = got.failedAllocation!;
    assert.equal([failed.number, failed.reached], [n, true]);
    assert.ok(failed.access < got.trace.accesses);
    if (failed.error !== null) assert.match(failed.error, /ENOMEM/);
    outcomes.add(failed.error === null);
    assert.equal(got.accesses, usual.accesses);
    assert.equal(got.trace, usual.trace);
  }
  assert.ok(outcomes.has(false), "some access met the failure");
  const text = heteromem(["run", trace, ...OPTIONS, "--fail-alloc", "2"]).stdout;
  assert.match(text, /Allocation 2 was made to fail\n +after accesses[^]*every invariant of the engine held/);
  const never = report(trace, ...OPTIONS, "--fail-alloc", "4294967295");
  assert.equal(never.failedAllocation, { number: 4294967295, reached: false, access: 0, error: null });
  for (const wrong of ["0", "x", "1.5", "4294967296"]) {
    const { status, stderr } = heteromem(["run", trace, "--fail-alloc", wrong]);
    assert.is(status, 2);
    assert.match(stderr, /--fail-alloc .*: expected a whole number from 1 to 4294967295/);
  }
});

for (const deviceMemory of [128, 192, 512, 4096]) {
  cli(`agrees with an obvious model, device memory ${deviceMemory} KiB`, () => {
    const model = new Model(deviceMemory * 1024).run(
      readAccesses(PROGRAM.text, KERNEL, { start: 0x401000, end: 0x402000 }),
    );
    const got = report(trace, "--offload", KERNEL_RANGE, "--device-memory", `${deviceMemory}KiB`);
    assert.equal(got.accesses, model.accesses);
    assert.equal(got.faultsByKind.cpu, model.cpuFaults);
    assert.is(got.faultsByKind.device.mirror, 0);
    assert.is(got.faults.device, model.deviceFaults);
    assert.equal(got.device, {
      bytesIn: model.pagesIn * 4096,
      bytesCopied: model.pagesCopied * 4096,
      bytesFromPeers: 0,
      bytesInAgain: model.pagesInAgain * 4096,
      bytesOut: model.pagesOut * 4096,
      bytesOutDirty: model.pagesOutDirty * 4096,
      bytesOutEvicted: model.pagesOutEvicted * 4096,
      bytesPeak: model.pagesPeak * 4096,
      pagesIn: model.pagesIn,
      pagesInAgain: model.pagesInAgain,
      pagesOutDirty: model.pagesOutEvictedDirty,
      pagesOutClean: model.pagesOutEvicted - model.pagesOutEvictedDirty,
    });
    assert.is(got.evictions, model.evictions);
    assert.equal(got.residency, {
      system: model.count("ram") * 4096,
      device: model.count("device") * 4096,
    });
  });
}

const settings: string[][] = [
  ["--policy", "migrate"],
  ["--policy", "mirror"],
  // The device has room for one cluster: an access that straddles two accesses one of them in RAM.
  ["--device-memory", "64KiB"],
  ["--device-memory", "68KiB"],
  ["--system-memory", "768KiB", "--device-memory", "256KiB"],
];
for (const setting of settings) {
  cli(`the figures of a report agree with each other: ${setting.join(" ")}`, () => {
    const got = report(trace, ...OPTIONS, ...setting);
    const sum = (counts: object): number => (Object.values(counts) as number[]).reduce((a, b) => a + b, 0);
    assert.is(got.faults.cpu, sum(got.faultsByKind.cpu));
    assert.is(got.faults.device, sum(got.faultsByKind.device));
    assert.is(got.invalidations, sum(got.invalidationsByEvent));
    assert.is(got.device.bytesIn - got.device.bytesOut, got.residency.device);
    assert.is(got.residency.system + got.residency.device, got.rss);
    assert.ok(got.device.bytesPeak <= got.memory.device);
    assert.ok(got.space.growths >= got.space.vmas);
  });
}

cli("the mirror policy moves nothing", () => {
  const got = report(trace, ...OPTIONS, "--policy", "mirror");
  assert.is(sumOf(got.device), 0);
  assert.is(got.evictions, 0);
  assert.is(got.residency.device, 0);
  assert.is(got.faultsByKind.device.migrate, 0);
  assert.is(got.faultsByKind.cpu.device, 0);
  assert.ok(got.faultsByKind.device.mirror > 0);
  const { loads, stores, ram } = got.accesses.device;
  assert.equal({ loads, stores }, ram);
  assert.equal({ ...got.accesses.device, ram: null }, { ...usual.accesses.device, ram: null });
});

cli("the device's accesses count by the place of the page: a straddling one by its last byte", () => {
  // One cluster of device memory: an access that straddles two clusters has its first page in RAM, and its
  // last byte on the device. The load after it brings the first cluster back.
  const kernel = new Program().kernel([
    ["L", 0x5000000, 8],
    ["S", 0x5000008, 8],
    ["M", 0x5000010, 8],
    ["S", 0x500fffc, 8],
    ["L", 0x5000020, 8],
  ]);
  const args = ["--offload", KERNEL_RANGE, "--device-memory", "64KiB"];
  const path = file("places", kernel.text);
  const sum = (one: { loads: number; stores: number }): number => one.loads + one.stores;
  assert.is(sum(report(path, "--offload", KERNEL_RANGE).accesses.device.ram), 0);
  const { device } = report(path, ...args).accesses;
  assert.is(report(path, ...args).faultsByKind.device.migrate, 4); // and the stack's
  assert.equal([device.loads, device.stores], [4, 2 + 1]);
  assert.equal(device.ram, { loads: 0, stores: 0 });
  const mirrored = report(path, ...args, "--policy", "mirror").accesses.device;
  assert.equal(mirrored.ram, { loads: 4, stores: 3 });
});

function sumOf(counts: object): number {
  return (Object.values(counts) as number[]).reduce((a, b) => a + b, 0);
}

cli.run();
