/**
 * The engine follows the driver: every invariant holds after every batch, and pages are where the driver
 * says.
 */
import * as assert from "uvu/assert";
import { MMU_NOTIFY_MIGRATE } from "../../../../assembly/uapi/event.ts";
import { hasBit } from "../../../../src/sim/driver/bits.ts";
import { EngineMover } from "../../../../src/sim/driver/engine-mover.ts";
import { Machine } from "../../../../src/sim/driver/machine.ts";
import { CPU } from "../../../../src/sim/driver/processor.ts";
import { densityPrefetcher } from "../../../../src/sim/policies/density.ts";
import { RIGHTS_NONE, RIGHTS_WRITE } from "../../../../src/sim/policies/rights.ts";
import { DEVICE_PFN_DIRTY, HMM_PFN_VALID, HMM_PFN_WRITE } from "../../../../assembly/uapi/pfn.ts";
import { Hmm } from "../../../../src/index.ts";
import { Random } from "../../../../src/testing.ts";
import { onEachBuild } from "../../../util/builds.ts";
import { access, BLOCK, LOAD, PAGE, STORE, sweep, WRITE } from "./machines.ts";

const GPU = 1;
const BASE = 0x40000000;
const CHUNKS = 2;

onEachBuild("driver: engine", (test, module) => {
  const make = () => {
    const hmm = Hmm.createSync(module, { systemMemory: 32 << 20, deviceMemory: CHUNKS * BLOCK });
    const mm = hmm.createMm();
    const events: number[] = [];
    const mover = new EngineMover({ hmm, mm }, { devices: 1, size: CHUNKS * BLOCK }, (event) =>
      events.push(event),
    );
    const on = new Machine({
      chunks: CHUNKS,
      prefetcher: densityPrefetcher(51),
      thrashing: true,
      counters: null,
      mover,
    });
    return { hmm, mm, mover, on, events };
  };
  test("every invariant holds after every batch and CPU fault, under eviction and advice", () => {
    const { hmm, mm, mover, on } = make();
    let batches = 0;
    const { driver } = on;
    const [batch, fault] = [driver.serveBatch.bind(driver), driver.cpuFault.bind(driver)];
    const check = (): void => {
      hmm.verify();
      batches++;
      for (const block of on.memory.blocks)
        for (let i = 0; i < block.pages; i += 7) {
          const address = BASE + (block.number - BASE / BLOCK) * BLOCK + i * PAGE;
          const device = mover.tables[1].lookup(address);
          const cpu = mover.tables[0].lookup(address);
          // A table never has a page that the driver has not mapped, nor a right that it has not given.
          for (const [p, word] of [
            [CPU, cpu],
            [GPU, device],
          ] as const) {
            if ((word & HMM_PFN_VALID) !== 0) assert.ok(block.rightsOf(p, i) > RIGHTS_NONE);
            if ((word & HMM_PFN_WRITE) !== 0) assert.ok(block.rightsOf(p, i) >= RIGHTS_WRITE);
          }
          if ((device & HMM_PFN_VALID) !== 0) assert.ok(hasBit(block.resident[GPU], i));
        }
    };
    driver.serveBatch = (...all) => {
      batch(...all);
      check();
    };
    driver.cpuFault = (...all) => {
      fault(...all);
      check();
    };
    const random = new Random(1);
    for (let round = 0; round < 25; round++) {
      const start = BASE + random.below(4) * BLOCK + random.below(300) * PAGE;
      if (round % 5 === 4) driver.advise(start, BLOCK, 1 + random.below(6), random.below(2));
      const how = random.pick([LOAD, STORE, WRITE]);
      access(
        on,
        sweep(start, 60, how!).map((one, i) => ({ ...one, thread: i })),
      );
    }
    assert.ok(batches > 25 && on.counts.evictions > 0);
    mm.close();
    mover.close();
    hmm.close();
  });
  test("bytes go with the pages, and first uses are what the device's table begins with", () => {
    const { hmm, mm, mover, on, events } = make();
    access(on, sweep(BASE, 16, WRITE));
    mm.store32(BASE + 4 * PAGE, 0x12345678);
    access(on, [{ ...LOAD, address: BASE }]);
    assert.ok(events.includes(MMU_NOTIFY_MIGRATE));
    const bytes = new Uint8Array(4);
    // Page 4 has come along, and the device has not used it.
    assert.is(mover.tables[1].read(BASE + 4 * PAGE, bytes), 0);
    access(on, [{ ...LOAD, address: BASE + 4 * PAGE }]);
    assert.is(mover.tables[1].read(BASE + 4 * PAGE, bytes), 4);
    assert.is(new Uint32Array(bytes.buffer)[0], 0x12345678);
    mover.tables[1].write(BASE + 4 * PAGE, Uint8Array.of(0x79));
    assert.ok((mover.tables[1].lookup(BASE + 4 * PAGE) & DEVICE_PFN_DIRTY) !== 0);
    access(on, [{ ...WRITE, address: BASE }]);
    // What the device's table alone knew counts as written.
    assert.is(on.counts.pagesOutDirty, 1);
    assert.is(mm.load32(BASE + 4 * PAGE), 0x12345679);
    mm.close();
    mover.close();
    hmm.close();
  });
}).run();
