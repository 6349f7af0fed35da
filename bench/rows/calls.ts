/**
 * P9: compares one call from TypeScript with the bare calls of the core that it makes. mitata measures: its
 * samples have 4096 calls each, because reading a clock costs as much as ten calls.
 */
import { measure } from "mitata";
import { MIGRATION_SRC } from "../../assembly/abi/object.ts";
import { RESOURCE_MIGRATION } from "../../assembly/abi/pool.ts";
import { contextOf } from "../../src/engine/context.ts";
import {
  HMM_PFN_REQ_FAULT,
  HmmMirror,
  HmmRange,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  hmmMirrorRegister,
  hmmVmaFault,
  hmmVmaRangeDone,
} from "../../src/index.ts";
import type { Hmm, Mm } from "../../src/index.ts";
import { BenchDevice, MIB, PAGE, PRIVATE, createEngine } from "../engine.ts";
import { median } from "../harness.ts";
import type { Context, Row, Side } from "../harness.ts";

/** Nanoseconds that mitata spends on one figure, and its options for a smoke run. */
const TIME = 30e6;
const SMOKE = { min_cpu_time: 1, min_samples: 2, batch_samples: 16, warmup_threshold: 0 };

/** Returns a side that measures `call` with mitata. The hash is what the call returns. */
function calls(call: () => number, smoke: boolean): Side {
  return {
    async run() {
      const { avg } = await measure(call, smoke ? SMOKE : { min_cpu_time: TIME });
      return { ns: avg, hash: call() >>> 0 };
    },
  };
}

/** A process with a page of RAM at `start`, and a device. */
interface World {
  readonly hmm: Hmm;
  readonly mm: Mm;
  readonly device: BenchDevice;
  readonly start: number;
}

async function createWorld(): Promise<World> {
  const hmm = await createEngine({ systemMemory: 4 * MIB, deviceMemory: 4 * MIB });
  const mm = hmm.createMm();
  const start = mm.mmap({ length: MIB, ...PRIVATE });
  mm.populate(start, MIB);
  mm.store32(start, 42);
  hmmMirrorRegister(new HmmMirror({ update() {} }), mm);
  return { hmm, mm, device: new BenchDevice(hmm, 4 * MIB), start };
}

/** hmmVmaFault of one present page, then hmmVmaRangeDone. The caller holds mmapSem. */
function faultAndDone({ hmm, mm, start }: World): { call: () => number; bare: () => number } {
  const { core } = contextOf("P9", hmm);
  const range = new HmmRange();
  const pfns = hmm.pfnArray(1);
  const vma = mm.findVma(start)!;
  const flags = HMM_PFN_REQ_FAULT >>> 0;
  return {
    call() {
      const answer = hmmVmaFault(vma, range, start, start + PAGE, pfns, false, false);
      return hmmVmaRangeDone(vma, range) ? answer : -1;
    },
    bare: () => core.hmmRangeFault(mm.id, start, start + PAGE, pfns.byteOffset, flags, 0, 0, 0, 0),
  };
}

/** Moves a page to the device and back. */
function oneMigration({ hmm, mm, device, start }: World): { call: () => number; bare: () => number } {
  const { core, mem } = contextOf("P9", hmm);
  const { zone, ownerNumber } = device.devmem;
  const move = (select: number, alloc: (src: number, dst: number) => void): number => {
    core.migrateSetup(mm.id, start, start + PAGE, select, ownerNumber, 0);
    const id = core.resume(); // after the mirror's callback
    const address = mem.objectAddress(RESOURCE_MIGRATION, id);
    const src = mem.u32(address + MIGRATION_SRC);
    const dst = src + 4; // the words of dst follow those of src
    alloc(src, dst);
    core.copyPages(src, dst, 1);
    const moved = core.migratePages(id);
    core.migrateFinalize(id);
    return moved;
  };
  return {
    call: () => device.toDevice(mm, start, start + PAGE) + device.toSystem(mm, start, start + PAGE),
    bare() {
      const there = move(MIGRATE_VMA_SELECT_SYSTEM, (src, dst) => core.devmemAllocPages(zone, src, dst, 1));
      const back = move(MIGRATE_VMA_SELECT_DEVICE_PRIVATE, (src, dst) => core.systemAllocPages(src, dst, 1));
      core.devmemTakeFreed(zone, 1);
      return there + back;
    },
  };
}

/** Prints a figure that has no target, as a line below the table. */
async function report(
  what: string,
  { call, bare }: { call: () => number; bare: () => number },
  context: Context,
): Promise<void> {
  const sides = [calls(call, context.smoke), calls(bare, context.smoke)];
  const ns: number[][] = [[], []];
  const answers = new Set<number>();
  for (let i = 0; i < context.pairs; i++) {
    for (const [which, side] of sides.entries()) {
      const sample = await side.run();
      ns[which].push(sample.ns);
      answers.add(sample.hash);
    }
  }
  if (answers.size !== 1) throw new Error(`${what}: the call and the bare calls answered differently`);
  context.note(`${what}: ${median(ns[0]).toFixed(1)} ns; the core alone ${median(ns[1]).toFixed(1)} ns`);
}

const row: Row = {
  title: "calls from TypeScript for one page",
  unit: "call",
  async run(context) {
    const world = await createWorld();
    const { hmm, mm, start } = world;
    const { core } = contextOf("P9", hmm);
    const { id } = mm;
    const results = await context.compare({
      ours: calls(() => mm.load32(start), context.smoke),
      units: 1,
      rivals: [
        { name: "bare-load32", target: 3, sides: [calls(() => core.load32(id, start), context.smoke)] },
      ],
    });
    const sem = mm.mmapSem.read();
    await report("hmmVmaFault and hmmVmaRangeDone of one page", faultAndDone(world), context);
    sem.close();
    await report("migrateVma of one page there and back", oneMigration(world), context);
    hmm.verify();
    hmm.close();
    return results;
  },
};
export default row;
