/** `heteromem sweep` is stopped twice, and leaves at once. */
import { once } from "node:events";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { file, folder, heteromem, startHeteromem } from "./command.ts";
import { SPEC } from "./sweeping.ts";

const test = suite("heteromem sweep, left");

test("a second Ctrl-C leaves at once, and what was done stays", async () => {
  const axes = (updates: number[]): object => ({ base: SPEC.base, axes: { "workload.updates": updates } });
  const out = join(folder, "left");
  mkdirSync(join(out, "jobs"), { recursive: true });
  // The third job would take minutes.
  const path = file("minutes.json", JSON.stringify(axes([500, 600, 1e9])));
  const child = startHeteromem(["sweep", path, "--out", out, "--workers", "1"]);
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const whole = (): string[] => readdirSync(join(out, "jobs")).filter((name) => name.endsWith(".json"));
  const until = async (what: () => boolean): Promise<void> => {
    while (!what()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await until(() => whole().length === 2);
  child.kill("SIGINT");
  await until(() => said.includes("once more leaves at once"));
  assert.is(child.exitCode, null);
  child.kill("SIGINT");
  const [status] = (await once(child, "exit")) as [number];
  assert.is(status, 130);
  assert.is(whole().length, 2);
  const { status: again, stderr } = heteromem([
    ...["sweep", file("seconds.json", JSON.stringify(axes([500, 600]))), "--out", out],
  ]);
  assert.is(again, 0);
  assert.match(stderr, /^0 jobs ran/);
});
test.run();
