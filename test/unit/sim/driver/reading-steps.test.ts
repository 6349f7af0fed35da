/**
 * Further sentences on how a simulator reads the driver's and UVM-Smart's rules. READING.md lists them all,
 * each with its test; the last test here looks that they are there.
 */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openWorkload, simulate, type Access } from "../../../../src/sim.ts";
import { Clock } from "../../../../src/sim/driver/clock.ts";
import { newCounts } from "../../../../src/sim/driver/driver-counts.ts";
import { ManagedDriver } from "../../../../src/sim/driver/driver.ts";
import { FaultBuffer } from "../../../../src/sim/driver/fault-buffer.ts";
import { ManagedMemory } from "../../../../src/sim/driver/managed-memory.ts";
import { ACCESS_WRITE, pcie } from "../../../../src/sim/driver/processor.ts";
import { ChunkRoom } from "../../../../src/sim/driver/room.ts";
import { Transfers } from "../../../../src/sim/driver/transfers.ts";
import { UvmSmart } from "../../../../src/sim/driver/uvm-smart.ts";
import { prefetcherByFault } from "../../../../src/sim/policies/block-prefetch.ts";
import { noPrefetcher } from "../../../../src/sim/policies/density.ts";
import { EVICTORS } from "../../../../src/sim/policies/evict/index.ts";
import { tbn } from "../../../../src/sim/policies/prefetch/tbn.ts";
import { Thrashing, type Hint } from "../../../../src/sim/policies/thrashing.ts";
import { blockOf } from "../../../util/sim-blocks.ts";
import { access, BLOCK, LOAD, machine, PAGE, READ, STORE, sweep } from "./machines.ts";

const BASE = 0x40000000;
const GPU = 1;
const BEGIN = { kind: "kernelBegin", size: 0 } as const;

const test = suite("driver: the reading of the rules, further");
test("the device runs until no warp can go on; a batch is fetched then, and nothing joins it", () => {
  // Warp 0 loads page 0. Warp 1 loads ten pages, then stores to page 30, and loads page 31. In any order
  // the batches have 11, 1 and 1 faults: the store waits for the loads, and the last load for the store.
  const on = (page: number, how: Partial<Access>, thread: number): Partial<Access> => ({
    ...how,
    address: BASE + page * PAGE,
    thread,
  });
  const accesses = [
    on(0, LOAD, 0),
    ...Array.from({ length: 10 }, (_, i) => on(20 + i, LOAD, 32)),
    on(30, STORE, 32),
    on(31, LOAD, 32),
  ];
  const gpu = machine({ prefetcher: noPrefetcher });
  access(gpu, accesses);
  assert.equal([gpu.counts.groups, gpu.counts.entries], [3, 13]);
  // Timed, the driver fetches after a turn of the warps, which has two faults.
  const timed = machine({ prefetcher: noPrefetcher, device: { timed: true } });
  access(timed, accesses);
  assert.ok(timed.counts.groups > 3);
});
test("the hint comes before room: a throttled fault evicts nothing", () => {
  class Throttling extends Thrashing {
    override hint(): Hint {
      return { kind: "throttle", until: 1 };
    }
  }
  for (const throttled of [true, false]) {
    const [topology, counts, transfers] = [pcie(1), [newCounts(), newCounts()], new Transfers()];
    const rooms = [(place: ConstructorParameters<typeof ChunkRoom>[1]) => new ChunkRoom(1, place)];
    const memory = new ManagedMemory({ topology, rooms, transfers, counts, counters: false });
    const thrashing = throttled ? new Throttling(topology) : null;
    const driver = new ManagedDriver({ memory, prefetcher: noPrefetcher, thrashing, clock: new Clock() });
    driver.migrate(BASE, PAGE, GPU);
    const buffer = new FaultBuffer();
    buffer.push((BASE + BLOCK) / PAGE, ACCESS_WRITE, 0);
    driver.serveBatch(GPU, buffer.fetch());
    assert.is(counts[GPU].evictions, throttled ? 0 : 1);
  }
});
test("generators align arrays to 2 MiB", () => {
  const specs = ["add", "stream", "stencil2d", "stencil3d", "fdtd2d", "hotspot", "matmul", "gups", "chase"];
  for (const spec of [...specs, "zipf", "hashjoin", "kvcache"])
    for (const { name, start } of openWorkload(spec).ranges) assert.is(start % BLOCK, 0, `${spec}: ${name}`);
});
test("recency is the last access or arrival, and pages that came along arrive, too", () => {
  const options = { capacity: 1024, unitPages: 1, seed: 1, written: () => false };
  const evictor = EVICTORS["lru-2m"].create(options);
  for (let page = 0; page < 512; page++) evictor.arrived(page, page, "load");
  for (let page = 512; page < 1024; page++) evictor.arrived(page, page, "prefetch");
  const next = (): number => evictor.victim(9999, () => false) >> 9;
  assert.is(next(), 0);
  evictor.used(7, 7, 1);
  assert.is(next(), 1);
});
test("the second prefetcher stays, even when there is room again", async () => {
  // 24 frames: block 0 comes whole, block 1 overflows. The CPU takes all pages back; then one page comes.
  const device = (page: number): Partial<Access> => ({ address: BASE + page * PAGE, agent: 1 });
  const accesses = [device(0), device(16), ...sweep(BASE, 32, READ), device(64)];
  const config = { deviceFrames: 24, cluster: "4K", prefetch: "sl", prefetchFull: "none" } as const;
  const { device: traffic } = await simulate([blockOf(accesses)], { ...config, systemMemory: "16MiB" });
  assert.is(traffic.pagesIn, 16 + 16 + 1);
});
test("the smart runtime classifies the order in which pieces came, and not accesses", () => {
  const smart = new UvmSmart(null);
  const full = { occupancy: 1, full: true };
  smart.array(0, 64 * 16 * PAGE);
  for (const piece of [0, 1, 2]) smart.brought(16 * piece);
  for (const page of [900, 20, 500]) smart.access(page);
  smart.evicting();
  assert.is(smart.brings(600, false, full), true, "linear: reads bring their pages");
  for (const piece of [9, 4]) smart.brought(16 * piece);
  smart.evicting();
  assert.is(smart.brings(600, false, full), false, "random: reads are remote");
});
test("… pieces that came along included", () => {
  // In kernel 1 pieces 0, 1 and 2 are asked for, and the tree adds piece 3. In kernel 2 the CPU has taken it
  // back, and it comes again: reuse, so the tree evicts, where lru-2m names nothing, as no 2 MiB are whole.
  const evict = { policy: EVICTORS["lru-2m"], parameter: undefined };
  const room = { pages: 80, evict, seed: 1, reserve: 0, freeBuffer: 0 };
  const evictions = (again: boolean): number => {
    const prefetcher = prefetcherByFault(tbn, undefined);
    const gpu = machine({ placement: "smart", room, prefetcher, hostFirst: true, thrashing: false });
    access(gpu, [BEGIN]);
    for (const page of [0, 16, 32]) access(gpu, [{ ...LOAD, address: BASE + page * PAGE }]);
    assert.is(gpu.counts.pagesNow, 64);
    access(gpu, [BEGIN]);
    if (again) {
      access(gpu, [{ ...READ, address: BASE + 48 * PAGE }]);
      access(gpu, [{ ...LOAD, address: BASE + 48 * PAGE }]);
    }
    for (let piece = 0; piece < 8; piece++)
      access(gpu, [{ ...LOAD, address: BASE + BLOCK + 16 * piece * PAGE }]);
    return gpu.counts.evictions;
  };
  assert.equal([evictions(true) > 0, evictions(false)], [true, 0]);
});
test("READING.md names tests that there are", () => {
  const folder = "test/unit/sim";
  const table = readFileSync(`${folder}/driver/READING.md`, "utf8");
  const rows = [...table.matchAll(/^\| (.+?) \| `(.+?)` \| (.+?) \|$/gm)].slice(0);
  assert.ok(rows.length > 30);
  for (const [, sentence, file, title] of rows) {
    const text = readFileSync(`${folder}/${file}`, "utf8");
    assert.ok(text.includes(title), `${sentence}: ${file} has no test "${title}"`);
  }
});
test.run();
