/** Time models: units, links, presets, machines, and runs with them. */
import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { arctangent } from "../../../../src/sim/time/arctangent.ts";
import { costsOf } from "../../../../src/sim/time/costs.ts";
import { EventQueue } from "../../../../src/sim/time/event-queue.ts";
import { picoseconds, picosecondsPerByte } from "../../../../src/sim/time/quantity.ts";
import {
  openWorkload,
  simulate,
  Simulation,
  TIME_PRESETS,
  type SimulationConfig,
  type TimeModel,
} from "../../../../src/sim.ts";
import { rate, time } from "./models.ts";

const MIB = 2 ** 20;
const quantities = suite("time: numbers");
quantities("units", () => {
  assert.is(picoseconds(time(0.826, "us")), 826_000);
  assert.is(picoseconds(time(150, "ms")), 150e9);
  assert.is(picosecondsPerByte(rate(1, "TB/s")), 1);
  assert.is(picosecondsPerByte(rate(1, "GiB/s")), 1e12 / 2 ** 30);
});
quantities("the arctangent is Math.atan's, but for the last bits", () => {
  for (let x = 1e-6; x < 1e6; x *= 1.3)
    assert.ok(Math.abs(arctangent(x) / Math.atan(x) - 1) < 1e-14, `${x}: ${arctangent(x)}`);
  assert.is(arctangent(0), 0);
});
quantities("the queue gives events by their times, equal ones as they came", () => {
  const queue = new EventQueue<number>();
  const times = Array.from({ length: 100 }, (_, i) => (i * 37) % 20);
  times.forEach((at, i) => queue.push(at, i));
  const sorted = times.map((at, i) => [at, i]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const got = times.map(() => [queue.next, queue.pop().what]);
  assert.equal(got, sorted);
  assert.is(queue.next, Infinity);
});
quantities("a 1080 Ti's link: 0.826 µs and 11.72 GB/s to the device, 0.737 µs and 13.16 GB/s to RAM", () => {
  const { toDevice, toHost } = costsOf(TIME_PRESETS["pcie3-1080ti"]);
  // 4096 B / 11.72 GB/s = 349.488 ns; 2 MiB / 13.16 GB/s = 159.358 µs.
  assert.is(toDevice(4096), 826_000 + 349_488);
  assert.is(toHost(2 * MIB), 737_000 + 159_358_055);
});
quantities("UVM-Smart's link: 4 KiB take 1.759 µs, both ways", () => {
  const { toDevice, toHost } = costsOf(TIME_PRESETS["uvm-smart"]);
  // 2·12/π · atan(0.07292 · 4) = 2.168 GiB/s; 4096 B / 2.168 GiB/s = 1.759 µs.
  assert.is(Math.round(toDevice(4096) / 1000), 1759);
  assert.is(toHost(4096), toDevice(4096));
});
quantities.run();

const presets = suite("time: presets");
const validate = new Ajv({ allowUnionTypes: true, strict: true }).compile(
  JSON.parse(readFileSync("schema/model.schema.json", "utf8")) as object,
);
presets("each is as the schema says, and stands under its name", () => {
  assert.equal(Object.keys(TIME_PRESETS), ["pcie3-1080ti", "uvm-smart", "pcie4-a5000", "gh200", "mi300a"]);
  for (const [name, model] of Object.entries(TIME_PRESETS)) {
    assert.ok(validate(model), `${name}: ${JSON.stringify(validate.errors)}`);
    assert.is(model.name, name);
  }
});
presets("the schema refuses a number without a source", () => {
  const model = structuredClone(TIME_PRESETS["pcie3-1080ti"]) as unknown as {
    faultGroup: { fixed: { source?: string } };
  };
  delete model.faultGroup.fixed.source;
  assert.not(validate(model));
});

const ADD = "add:size=8MiB,grain=4096";
/** Little memory: it is made for each simulation. */
const SMALL = { systemMemory: "32MiB", deviceMemory: "16MiB", backing: "metadata" } as const;
const MANAGED = { ...SMALL, memoryModel: "managed", deviceThreads: "one" } as const;

presets("add on a 1080 Ti: 12 groups and 48 transfers in 2.217 ms, 36 CPU faults", async () => {
  const { timing, kernels } = await simulate(openWorkload(ADD), { ...MANAGED, time: "pcie3-1080ti" });
  const by = Object.fromEntries(timing!.causes.map(({ cause, critical }) => [cause, critical]));
  assert.is(by.fixed, 12 * 99_600_000);
  assert.is(by.transfer, 48 * 5_550_000);
  // 48 · 0.826 µs + 8 MiB / 11.72 GB/s = 755.4 µs; 24 · 0.737 µs + 4 MiB / 13.16 GB/s = 336.4 µs.
  assert.is(Math.round(by.toDevice / 1e5), 7554);
  assert.is(Math.round(by.toHost / 1e5), 3364);
  assert.is(by.cpuFault, 36 * 9_000_000);
  assert.is(kernels.find(({ name }) => name === "add")!.elapsed, by.fixed + by.transfer + by.toDevice);
  assert.is(
    timing!.total,
    Object.values(by).reduce((sum, one) => sum + one, 0),
  );
  assert.equal(timing!.limit, { cause: "fixed", saves: by.fixed });
  // 11 % of the groups, 2.9 % and 1.6 % of the link.
  const error = Math.round(0.11 * by.fixed) + Math.round(0.11 * by.transfer);
  const link = Math.round(0.029 * by.toDevice) + Math.round(0.016 * by.toHost);
  assert.is(timing!.high - timing!.total, error + link);
});
presets("the same run gives the same times; a snapshot goes on with them", async () => {
  const config: SimulationConfig = { ...SMALL, deviceMemory: "1MiB", time: "pcie3-1080ti" };
  const blocks = [...openWorkload("gups:size=4MiB,updates=2000").blocks()].map((block) => block.slice());
  const whole = await simulate(blocks, config);
  assert.equal(await simulate(blocks, config), whole);
  using first = await Simulation.create(config);
  const records = blocks.flatMap((block) => [...block]);
  first.feed(new BigUint64Array(records.slice(0, 2000)));
  using second = Simulation.restore(first.snapshot());
  second.feed(new BigUint64Array(records.slice(2000)));
  assert.equal(second.report().timing, whole.timing);
});
presets("a roi has its own times", async () => {
  const config: SimulationConfig = { ...SMALL, deviceMemory: "1MiB", time: "pcie3-1080ti" };
  const run = (roi: string) => simulate(openWorkload("gups:size=4MiB,updates=2000"), { ...config, roi });
  const parts = [await run("0-700"), await run("700-2000")];
  const both = await run("0-2000");
  const groups = (report: typeof both): number =>
    report.timing!.causes.find(({ cause }) => cause === "fixed")!.count;
  assert.is(groups(parts[0]) + groups(parts[1]), groups(both));
  assert.is(parts[0].elapsed + parts[1].elapsed, both.elapsed);
});
presets("a GH200 takes no fault on a page that the CPU has touched", async () => {
  const report = await simulate(openWorkload(ADD), { ...SMALL, deviceThreads: "one", time: "gh200" });
  assert.equal(report.faults.device, 0);
  assert.is(report.memoryModel, "managed");
  assert.ok(report.accesses.device.ram.loads > 0);
});
presets("an MI300A has one memory: nothing moves", async () => {
  const report = await simulate(openWorkload(ADD), {
    systemMemory: "32MiB",
    backing: "metadata",
    time: "mi300a",
  });
  assert.equal([report.device.bytesIn, report.placement], [0, "mirror"]);
  // Each page of y that the device reads first faults for 17 µs, and x's pages, too.
  const fault = report.timing!.causes.find(({ cause }) => cause === "fault")!;
  assert.is(fault.critical, report.faults.device * 17e6);
});
presets("an option that contradicts a machine is refused", async () => {
  const wrong: [SimulationConfig, string][] = [
    [{ time: "gh200", memoryModel: "hmm" }, "memoryModel hmm: expected managed, which the machine gh200 has"],
    [
      { time: "gh200", placement: "migrate" },
      "placement migrate: expected counters, which the machine gh200 has",
    ],
    [
      { time: "mi300a", evict: "lru" },
      "evict lru: expected none of it: the machine mi300a has no use for it",
    ],
  ];
  for (const [config, message] of wrong) {
    const error = await Simulation.create(config).then(
      () => "none",
      (thrown: Error) => thrown.message,
    );
    assert.is(error, message);
  }
});
presets("a program's own model is checked", async () => {
  const good: TimeModel = {
    schema: "heteromem-model/1",
    name: "mine",
    about: "",
    cpu: { fault: time(1, "us") },
  };
  const wrong: [unknown, RegExp][] = [
    [{ ...good, schema: "x" }, /^time schema x: expected heteromem-model\/1$/],
    [{ ...good, cpu: { fault: 3 } }, /^time cpu\.fault: expected a number with its unit and source/],
    [{ ...good, cpu: { fault: time(-1, "us") } }, /^time cpu\.fault\.value -1: expected a number from 0 on$/],
    [{ ...good, cpu: { fault: { ...time(1, "us"), source: "" } } }, /^time cpu\.fault\.source: expected/],
    [
      { ...good, cpu: { fault: { ...time(1, "us"), unit: "h" } } },
      /^time cpu\.fault\.unit h: expected ps or/,
    ],
  ];
  for (const [model, says] of wrong) {
    const error = await Simulation.create({ time: model as TimeModel }).then(
      () => "none",
      (thrown: Error) => thrown.message,
    );
    assert.match(error, says);
  }
  const report = await simulate(openWorkload("add:size=64KiB"), { ...SMALL, time: good });
  assert.is(report.time, "mine");
  assert.is(report.timing!.total, report.faults.cpu * 1e6);
});
presets.run();
