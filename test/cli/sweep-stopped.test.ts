/** `heteromem sweep` is stopped, and goes on. */
import { once } from "node:events";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { file, folder, startHeteromem } from "./command.ts";
import { merged, SPEC, sweep } from "./sweeping.ts";

const test = suite("heteromem sweep, stopped");

test("Ctrl-C finishes what runs; the sweep goes on later, and ends with the same bytes", async () => {
  const long = { base: { ...SPEC.base, workload: "gups:size=256KiB,updates=15000" }, replicate: 6 };
  const path = file("long.json", JSON.stringify(long));
  const out = join(folder, "stopped");
  mkdirSync(out);
  const child = startHeteromem(["sweep", path, "--out", out, "--workers", "1"]);
  while (!(readdirSync(out).includes("jobs") && readdirSync(join(out, "jobs")).length > 0))
    await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill("SIGINT");
  const [status] = (await once(child, "exit")) as [number];
  assert.is(status, 130);
  const whole = readdirSync(join(out, "jobs"));
  assert.ok(whole.length < 6 && whole.every((name) => /^[0-9a-f]{64}\.json$/.test(name)), whole.join());
  assert.is(sweep(path, "stopped").status, 0);
  assert.is(sweep(path, "unstopped", "--workers", "1").status, 0);
  assert.is(merged("stopped"), merged("unstopped"));
});
test.run();
