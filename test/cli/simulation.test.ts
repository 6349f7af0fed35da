/** The simulation: the engine's invariants hold after every batch, and close() leaves nothing in use. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EINVAL } from "../../assembly/uapi/errno.ts";
import { HDR_USE_STAMPS } from "../../assembly/abi/header.ts";
import { contextOf } from "../../src/engine/context.ts";
import { Hmm, hmmDevmemAdd, HmmError, migrateVmaSetup, PAGE_SIZE } from "../../src/index.ts";
import { oldestPages, trackUse } from "../../src/device/replay.ts";
import { loadText } from "../../src/text/index.ts";
import { LackeyDecoder } from "../../src/text/lackey.ts";
import type { Placement } from "../../src/sim/names.ts";
import type { SimulationReport } from "../../src/sim/report.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { SimulationError } from "../../src/sim/simulation-error.ts";
import { KERNEL, Program, PROGRAM, strided, type Access } from "./program.ts";

const simulation = suite("simulation");
const KIB = 1024;
const text = loadText();

function records(trace: string): BigUint64Array {
  return new LackeyDecoder(text, { offload: [{ name: "kernel", ...KERNEL }] }).push(
    new TextEncoder().encode(trace),
  );
}

async function replay(
  placement: Placement,
  systemMemory: number,
  deviceMemory: number,
): Promise<SimulationReport> {
  const sim = await Simulation.create({ placement, backing: "data", systemMemory, deviceMemory });
  const all = records(PROGRAM.text);
  for (let at = 0; at < all.length; at += 14) {
    sim.feed(all.subarray(at, at + 14));
    sim.verify();
  }
  const report = sim.report();
  sim.close();
  return report;
}

for (const placement of ["migrate", "mirror"] as const) {
  for (const deviceMemory of [64, 100, 128, 1024]) {
    simulation(
      `every invariant holds all along: ${placement}, ${deviceMemory} KiB on the device`,
      async () => {
        const report = await replay(placement, 1024 * KIB, deviceMemory * KIB);
        const { cpu, device } = report.accesses;
        assert.is(
          cpu.loads + cpu.stores + device.loads + device.stores,
          PROGRAM.accesses.reduce((sum, { access }) => sum + (access[0] === "M" ? 2 : 1), 0),
        );
      },
    );
  }
}

simulation("the size of a batch does not matter", async () => {
  const config = {
    placement: "migrate",
    backing: "data",
    systemMemory: 1024 * KIB,
    deviceMemory: 128 * KIB,
  } as const;
  const all = records(PROGRAM.text);
  using whole = await Simulation.create(config);
  whole.feed(all);
  using single = await Simulation.create(config);
  for (let i = 0; i < all.length; i += 2) single.feed(all.subarray(i, i + 2));
  assert.equal(single.report(), whole.report());
});

simulation("what the device has used again is not what is evicted", async () => {
  const config = { placement: "migrate", backing: "data", systemMemory: 1024 * KIB } as const;
  using sim = await Simulation.create({ ...config, deviceMemory: 128 * KIB });
  // Room for two clusters: the third replaces the second, since every page of the first was used later.
  const cluster = (i: number): Access[] => strided("L", 0x5000000 + i * 64 * KIB, 16, 4096);
  const clusters = [0, 1, 0, 2, 0].flatMap(cluster);
  sim.feed(records(new Program().kernel(clusters).text));
  const { faultsByKind, evictions } = sim.report();
  // Three clusters, and the cluster of the stack, from which the kernel returns.
  assert.is(faultsByKind.device.migrate, 4);
  assert.is(evictions, 2);
});

simulation("only who tracks use pays for the list, and is told what was used last", async () => {
  const size = 2 * 1024 * KIB;
  const hmm = await Hmm.create({ systemMemory: 1024 * KIB, deviceMemory: size, backing: "metadata" });
  const owner = {};
  const devmem = hmmDevmemAdd(hmm, { fault: () => 0 }, owner, size);
  const mm = hmm.createMm();
  const start = mm.mmap({ length: 2 * PAGE_SIZE });
  const vma = mm.findVma(start);
  mm.populate(start, 2 * PAGE_SIZE);
  const move = (at: number): number => {
    using _sem = mm.mmapSem.read();
    using m = migrateVmaSetup({ vma, start: at, end: at + PAGE_SIZE, owner });
    devmem.allocPages(m.src, m.dst);
    return m.pages();
  };
  const { mem } = contextOf("test", hmm);
  assert.is(move(start), 1);
  assert.is(mem.header(HDR_USE_STAMPS), 0);
  assert.throws(
    () => oldestPages(mm, devmem, 1),
    (error: unknown) => error instanceof HmmError && error.errno === EINVAL && /trackUse/.test(error.message),
  );
  trackUse(hmm);
  const at = mem.header(HDR_USE_STAMPS);
  trackUse(hmm);
  assert.is(mem.header(HDR_USE_STAMPS), at);
  // Earlier accesses are unknown.
  assert.is(move(start + PAGE_SIZE), 1);
  assert.equal(oldestPages(mm, devmem, 2), [start + PAGE_SIZE]);
  mm.close();
  devmem.close();
  hmm.verify();
  hmm.close();
});

simulation("memory that runs out is an error that names the record, and the engine stays whole", async () => {
  const config = {
    placement: "migrate",
    backing: "data",
    systemMemory: 64 * KIB,
    deviceMemory: 64 * KIB,
  } as const;
  using sim = await Simulation.create(config);
  try {
    sim.feed(records(PROGRAM.text));
    assert.unreachable("64 KiB are not enough");
  } catch (error) {
    assert.instance(error, SimulationError);
    assert.is((error as SimulationError).record, 12); // page tables take four of the 16 pages
  }
  sim.verify();
});

simulation.run();
