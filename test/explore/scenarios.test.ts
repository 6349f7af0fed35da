/** Drivers that fill tables and lend pages are correct, whatever runs between their steps, in any order. */
import * as agents from "./agents.ts";
import { testScenarios, writer } from "./scenario.ts";
import type { WorldOptions } from "./world.ts";

const { driver, modern, migrate, lend, write } = agents;
const MODERN: WorldOptions = { generation: 2020 };
const TWO_DEVICES: WorldOptions = { other: true };

testScenarios("explore: scenarios", [
  ["populate, munmap", { driver, cpu: agents.munmap }, true],
  ["populate, mprotect", { driver, cpu: agents.protect }, true],
  ["populate, fork", { driver, cpu: agents.fork }, true],
  ["populate, MADV_DONTNEED, writes", { driver, cpu: agents.discard, thread: write(1, 2) }, true],
  ["modern populate, munmap", { driver: modern, cpu: agents.munmap }, true, MODERN],
  ["modern populate, mprotect", { driver: modern, cpu: agents.protect }, true, MODERN],
  ["modern populate, fork", { driver: modern, cpu: agents.fork }, true, MODERN],
  ["modern populate, fork, writes", { driver: modern, cpu: agents.fork, thread: write(1, 2) }, true, MODERN],
  ["two mirrors", { a: writer(10, "gpu"), b: writer(20, "other"), cpu: write(1, 2) }, false, TWO_DEVICES],
  ["release during populate", { driver, cpu: agents.exit, thread: write(1) }, true],
  ["release during modern populate", { driver: modern, cpu: agents.exit, thread: write(1) }, true, MODERN],
  ["exclusive access, writes", { driver: lend, cpu: write(1, 2) }, true],
  ["exclusive access, MADV_DONTNEED", { driver: lend, cpu: agents.discard }, false],
  ["exclusive access, migrate, write", { a: lend, b: migrate, cpu: write(1) }, true],
]);
