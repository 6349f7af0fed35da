/** `heteromem list`: what can be chosen by name, as the command takes it. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EVICTIONS, TIME_MODELS } from "../../src/sim.ts";
import { openWorkload, WORKLOADS } from "../../src/sim/workload/index.ts";
import { heteromem } from "./command.ts";

const test = suite("heteromem list");
const linesOf = (...args: string[]): string[] => heteromem(["list", ...args]).stdout.split("\n");

test("names every policy of an option, and only of that", () => {
  const lines = linesOf("evict");
  for (const [name, about] of Object.entries(EVICTIONS))
    assert.ok(
      lines.some((line) => line.trim().startsWith(`${name} `) && line.endsWith(about)),
      name,
    );
  assert.not(lines.some((line) => line.includes("pcie3-1080ti")));
  const models = linesOf("time");
  for (const name of Object.keys(TIME_MODELS))
    assert.ok(
      models.some((line) => line.trim().startsWith(`${name} `)),
      name,
    );
});
test("the parameters that it tells are those that a workload takes", () => {
  const lines = linesOf("workload");
  const names = lines.filter((line) => /^ {2}\S/.test(line)).map((line) => line.trim().split(" ")[0]);
  assert.equal(names, Object.keys(WORKLOADS));
  const at = lines.findIndex((line) => line.startsWith("  gups "));
  const parameters = lines.slice(
    at + 1,
    lines.findIndex((line, i) => i > at && /^ {2}\S/.test(line)),
  );
  assert.equal(
    parameters.map((line) => line.trim().split(" ")[0]),
    Object.keys(openWorkload("gups").parameters),
  );
});
test("all lists are printed without an option; one that has none is refused", () => {
  const { status, stdout } = heteromem(["list"]);
  assert.is(status, 0);
  for (const option of ["placement", "prefetch", "evict", "memory-model", "time", "workload"])
    assert.match(stdout, new RegExp(`^--${option}: `, "m"));
  const wrong = heteromem(["list", "colors"]);
  assert.is(wrong.status, 2);
  assert.match(wrong.stderr, /^heteromem: list colors: expected one of placement, prefetch, /);
});
test("the help names the choices, in groups", () => {
  const { stdout } = heteromem(["run", "--help"]);
  for (const group of ["Input", "Memory", "Policies", "Accesses and counts", "Output"])
    assert.match(stdout, new RegExp(`^${group}:$`, "m"));
  for (const name of Object.keys(EVICTIONS)) assert.ok(stdout.includes(name), name);
  assert.not.match(stdout, /what was used longest ago/);
});
test.run();
