/** A worker of row P21: an engine of its own, which does as many rounds of work as a message asks for. */
import { parentPort } from "node:worker_threads";
import { Hmm } from "../src/index.ts";
import { BenchDevice, MIB, PRIVATE } from "./engine.ts";

const BYTES = 4 * MIB;

const hmm = Hmm.createSync({ systemMemory: 16 * MIB, deviceMemory: 16 * MIB, backing: "metadata" });
const mm = hmm.createMm();
const device = new BenchDevice(hmm, 8 * MIB, { copies: false });

/** Populates a mapping, moves it to the device and back, and unmaps it. Returns how many pages moved. */
function round(): number {
  const start = mm.mmap({ length: BYTES, ...PRIVATE });
  mm.populate(start, BYTES);
  const moved = device.toDevice(mm, start, start + BYTES) + device.toSystem(mm, start, start + BYTES);
  mm.munmap(start, BYTES);
  return moved;
}

parentPort!.on("message", (rounds: number) => {
  let moved = 0;
  for (let i = 0; i < rounds; i++) moved += round();
  parentPort!.postMessage(moved);
});
