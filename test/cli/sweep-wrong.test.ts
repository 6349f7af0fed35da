/** `heteromem sweep` refuses wrong sweeps and options before anything runs. */
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { UserError } from "../../src/cli/errors.ts";
import { parseMemory, parseWorkers } from "../../src/cli/sweep/limits.ts";
import { planSweep } from "../../src/cli/sweep/plan.ts";
import { demandMemory, parseShard } from "../../src/cli/sweep/sweep.ts";
import { SweepError } from "../../src/sweep/error.ts";
import { file, folder } from "./command.ts";
import { SMALL, SPEC, spec, sweep } from "./sweeping.ts";

const test = suite("heteromem sweep, wrong input");

const ERRORS: [name: string, content: object | string, message: RegExp][] = [
  ["none", "{", /this is no JSON/],
  ["field", { axis: {} }, /the sweep must not have the field axis/],
  ["empty", { base: SPEC.base, axes: { evict: ["lru"] }, exclude: [{ evict: "lru" }] }, /at least one job/],
  ["config", { base: { ...SPEC.base, nothing: 1 } }, /base: the config must not have the field nothing/],
  ["value", { base: SPEC.base, axes: { devices: [1, 99] } }, /devices=99: devices must be <= 7/],
  [
    "point",
    { base: SPEC.base, axes: { deviceMemory: ["1MiB", "5KiB"] } },
    /deviceMemory=5KiB: deviceMemory 5KiB: /,
  ],
  ["input", { base: SMALL }, /expected a trace or --workload/],
  ["workload", { base: { workload: "nothing" } }, /no workload is named "nothing"/],
  ["trace", { base: { trace: "no-such-file" } }, /no-such-file: no such file/],
  ["files", { base: { ...SPEC.base, html: "x.html" } }, /html: expected in a run, not in a sweep/],
];
for (const [name, content, message] of ERRORS) {
  test(`wrong input is refused before anything runs: ${name}`, async () => {
    const path = file(`wrong-${name}.json`, typeof content === "string" ? content : JSON.stringify(content));
    let found = "";
    await planSweep(path, join(folder, "wrong"), "1").catch((error: unknown) => {
      assert.ok(error instanceof UserError || error instanceof SweepError, String(error));
      found = error.message;
    });
    assert.match(found, message);
  });
}
test("the command says in one line what is wrong, and exits with 2", () => {
  const { status, stderr, stdout } = sweep(file("x.json", JSON.stringify({ axis: 1 })), "wrong");
  assert.is(stderr, `heteromem: ${join(folder, "x.json")}: the sweep must not have the field axis\n`);
  assert.is(stdout, "");
  assert.is(status, 2);
});
test("options that cannot be are refused", () => {
  for (const text of ["3/2", "0/2", "1"])
    assert.throws(() => parseShard(text), new RegExp(`^--shard ${text}: expected i/n`));
  assert.throws(() => parseWorkers("0"), /^--workers 0: expected a number from 1 to 1024/);
  assert.throws(() => parseMemory("much"), /^--memory much: expected a size/);
  assert.is(parseMemory("3GiB"), 3 * 2 ** 30);
  assert.equal(parseShard("2/8"), { i: 2, n: 8 });
});
test("a job that does not fit into the memory even alone is refused", async () => {
  const { jobs } = await planSweep(spec, join(folder, "wrong"), "1");
  // 2 MiB + 2 MiB of the device are 1,024 frames: 96 MiB and 40,960 bytes.
  demandMemory(jobs, 96 * 2 ** 20 + 40960);
  assert.throws(() => demandMemory(jobs, 96 * 2 ** 20 + 40959), /--memory .*: a job may use 96.0 MiB/);
});
test.run();
