/** What always holds of managed memory, over random accesses, advice and moves. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { isEmpty } from "../../../../src/sim/driver/bits.ts";
import type { Machine } from "../../../../src/sim/driver/machine.ts";
import { canMap, CPU, pcie } from "../../../../src/sim/driver/processor.ts";
import { RIGHTS_NONE, RIGHTS_READ } from "../../../../src/sim/policies/rights.ts";
import { Random } from "../../../../src/testing.ts";
import { access, BLOCK, chunksOf, machine, PAGE } from "./machines.ts";

const BASE = 0x40000000;
const BLOCKS = 6;
const CHUNKS = 3;
const GPU = 1;
const PCIE = pcie(1);

/** Asserts the invariants of all blocks. */
function check(gpu: Machine): void {
  const { memory, counts } = gpu;
  const chunks = chunksOf(gpu);
  let onDevice = 0;
  for (const block of memory.blocks) {
    for (let page = 0; page < block.pages; page++) {
      const holders = block.holders(page);
      if (!block.readMostly) assert.is(holders & (holders - 1), 0, "one copy, unless it is read-mostly");
      if ((holders & (1 << GPU)) !== 0) onDevice++;
      for (const p of [CPU, GPU]) {
        const right = block.rightsOf(p, page);
        if (right === RIGHTS_NONE) continue;
        assert.ok(
          [CPU, GPU].some((q) => (holders & (1 << q)) !== 0 && canMap(PCIE, p, q)),
          "a map is of a copy",
        );
        if (holders === 3) assert.is(right, RIGHTS_READ, "copies are for reading");
      }
    }
    if (!isEmpty(block.resident[GPU])) assert.ok(chunks.has(block), "a page on the device is in a chunk");
  }
  assert.ok(chunks.taken <= CHUNKS);
  for (const block of chunks.lists().unused) assert.ok(isEmpty(block.resident[GPU]));
  assert.is(counts.pagesNow, onDevice);
  assert.is(counts.pagesIn - counts.pagesOut, onDevice);
  assert.is(counts.pagesIn, counts.pagesCopied + counts.madeOnDevice);
}

const test = suite("driver: invariants");
for (const seed of [1, 2, 3, 4])
  test(`random accesses, advice and moves, seed ${seed}`, () => {
    const random = new Random(seed);
    const on = machine({ chunks: CHUNKS, counters: seed % 2 === 0 ? 8 : null });
    on.memory.allocate(BASE + (BLOCKS - 1) * BLOCK, 100 * PAGE);
    for (let round = 0; round < 400; round++) {
      const address = BASE + random.below(BLOCKS) * BLOCK + random.below(100) * PAGE;
      const act = random.below(20);
      if (act === 0) on.driver.advise(address, 1, 1 + random.below(6), random.below(2));
      else if (act === 1) on.driver.migrate(address, random.below(200) * PAGE, random.below(2));
      else {
        const agent = random.below(2);
        const kind = random.pick(["load", "store", "modify"] as const)!;
        const n = 1 + random.below(agent === CPU ? 1 : 40);
        const accesses = Array.from({ length: n }, (_, i) => ({
          kind,
          agent,
          address: address + random.below(i + 1) * PAGE,
          thread: random.below(100),
        }));
        access(
          on,
          accesses.filter((one) => one.address < BASE + (BLOCKS - 1) * BLOCK + 100 * PAGE),
        );
      }
      check(on);
    }
    assert.ok(on.counts.evictions > 0);
  });
test.run();
