/** Drivers that migrate pages are correct, whatever runs between their steps, in any order. */
import type { Agent } from "../../src/testing.ts";
import * as agents from "./agents.ts";
import { testScenarios } from "./scenario.ts";
import type { World, WorldOptions } from "./world.ts";

const { migrate, overlapping, reclaim, write } = agents;
const TWO_DEVICES: WorldOptions = { other: true };

/** Migrates two pages and writes to the first on the device. */
const mover: Agent<World> = function* (w) {
  yield* agents.toDevice(w, w.gpu, w.start, 2);
  yield* agents.deviceWrite(w, w.gpu, 10);
};

testScenarios("explore: migrations", [
  ["migrate, writes", { driver: migrate, cpu: write(1, 2, 3) }, true],
  ["migrate, fork", { driver: migrate, cpu: agents.fork }, true],
  ["migrate, munmap", { driver: migrate, cpu: agents.munmap }, true],
  ["migrate, MADV_DONTNEED, writes", { driver: migrate, cpu: agents.discard, thread: write(1) }, true],
  ["migrate, migrate an overlapping range, writes", { a: migrate, b: overlapping, cpu: write(1, 2) }, true],
  ["… to another device", { a: migrate, b: overlapping, cpu: write(1, 2) }, true, TWO_DEVICES],
  ["migrate and write, evict, writes", { driver: mover, reclaim, cpu: write(1, 2) }, true],
  ["release during migrate", { driver: migrate, cpu: agents.exit, thread: write(1) }, true],
]);
