/** Managed memory: first touch, migration, eviction, by the driver's rules. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { countBits } from "../../../../src/sim/driver/bits.ts";
import { CPU } from "../../../../src/sim/driver/processor.ts";
import { bigPagePrefetcher, noPrefetcher } from "../../../../src/sim/policies/density.ts";
import { access, BLOCK, chunksOf, LOAD, machine, PAGE, READ, STORE, sweep, WRITE } from "./machines.ts";
import { bitsOf, listOf } from "./pages.ts";

const GPU = 1;
const BASE = 0x40000000;
const FIRST = BASE / BLOCK;

const touch = suite("driver: first touch");
for (const [name, prefetcher, faults] of [
  ["none", noPrefetcher, 512],
  ["sl", bigPagePrefetcher, 32],
  ["density", undefined, 6],
] as const)
  touch(`${name}: ${faults} faults in each fresh 2 MiB region that is stored to page by page`, () => {
    const gpu = machine(prefetcher && { prefetcher });
    access(gpu, sweep(BASE, 3 * 512, STORE));
    assert.is(gpu.counts.groups, 3 * faults);
    assert.is(gpu.counts.devicePages, 3 * faults);
    assert.equal(gpu.transfers.total("toDevice"), { count: 0, bytes: 0 }, "made pages are no transfer");
    assert.is(gpu.counts.madeOnDevice, 3 * 512);
  });
touch("the CPU's reads and writes make pages by the same tree, for reading and writing", () => {
  for (const how of [READ, WRITE]) {
    const cpu = machine();
    access(cpu, sweep(BASE, 512, how));
    access(cpu, sweep(BASE, 512, WRITE));
    assert.is(cpu.counts.cpuFaults, 6);
    assert.is(cpu.counts.madeInRam, 512);
  }
});
touch("faults one at a time at 64 KiB are fewer than 17: six", () => {
  const gpu = machine();
  access(
    gpu,
    Array.from({ length: 17 }, (_, i) => ({ ...STORE, address: BASE + i * 16 * PAGE })),
  );
  // 0 and 16 take 64 KiB each, 32 takes [33,64), 64 takes [65,128), 128 takes [129,256), 256 takes the rest.
  assert.is(gpu.counts.groups, 6);
});
touch("a prefetched page is mapped as if it had been read: a store to it does not fault", () => {
  const gpu = machine();
  access(gpu, [{ ...LOAD, address: BASE }]);
  access(gpu, sweep(BASE, 16, STORE));
  assert.is(gpu.counts.groups, 1);
});
touch("an allocation's last block is cut: nodes end where it ends", () => {
  const gpu = machine();
  gpu.memory.allocate(BASE, BLOCK + 40 * PAGE);
  access(gpu, [{ ...STORE, address: BASE + BLOCK }]);
  assert.equal(listOf(gpu.memory.block(FIRST + 1).resident[GPU]), [[0, 15]]);
  access(gpu, [{ ...STORE, address: BASE + BLOCK + 16 * PAGE }]);
  // [0,40) has 32 of 40 pages, 80 %.
  assert.equal(listOf(gpu.memory.block(FIRST + 1).resident[GPU]), [[0, 39]]);
});
touch.run();

const moves = suite("driver: migration");
moves("a page goes to the processor that faults on it, and the other's map is gone", () => {
  const gpu = machine({ prefetcher: noPrefetcher });
  access(gpu, sweep(BASE, 2, WRITE));
  access(gpu, [{ ...LOAD, address: BASE }]);
  const block = gpu.memory.block(FIRST);
  assert.equal(listOf(block.resident[GPU]), [[0, 0]]);
  assert.equal(listOf(block.resident[CPU]), [[1, 1]]);
  access(gpu, sweep(BASE, 2, READ));
  assert.is(gpu.counts.cpuFaults, 3);
  assert.equal(listOf(block.resident[CPU]), [[0, 1]]);
});
moves("a fault and what is prefetched with it are transfers of their own, before and after it", () => {
  const gpu = machine();
  access(gpu, sweep(BASE, 512, WRITE));
  access(gpu, [{ ...LOAD, address: BASE + 7 * PAGE }]);
  // Page 7 faults; 0 to 6 and 8 to 15 come along.
  const { fault, prefetch } = gpu.transfers.counts.toDevice;
  assert.equal(fault.sizes, { 4: 1 });
  assert.equal(prefetch.sizes, { 28: 1, 32: 1 });
});
moves("pages that are made, and pages that are there, end a run", () => {
  const gpu = machine();
  // In RAM: pages 0-15 and 32-47. On the device, after its fault at page 20: 16-31, made.
  access(gpu, [
    { ...WRITE, address: BASE },
    { ...WRITE, address: BASE + 32 * PAGE },
  ]);
  const block = gpu.memory.block(FIRST);
  assert.equal(listOf(block.resident[CPU]), [
    [0, 15],
    [32, 47],
  ]);
  access(gpu, [{ ...LOAD, address: BASE + 20 * PAGE }]);
  // 16-31 of [0,32) are half: nothing more. Then page 0: [0,32) is whole, [0,64) is half.
  assert.is(gpu.transfers.total("toDevice").count, 0);
  access(gpu, [{ ...LOAD, address: BASE + PAGE }]);
  assert.equal(gpu.transfers.counts.toDevice.fault.sizes, { 4: 1 });
  assert.equal(gpu.transfers.counts.toDevice.prefetch.sizes, { 4: 1, 56: 1 });
  // Page 48 is made; 32-47 are copied: 64 of 64 pages.
  access(gpu, [{ ...STORE, address: BASE + 48 * PAGE }]);
  assert.equal(gpu.transfers.counts.toDevice.prefetch.sizes, { 4: 1, 56: 1, 64: 1 });
});
moves.run();

const eviction = suite("driver: eviction");
/** Stores to the first page of each of some blocks, each a kernel of its own. */
function storeToBlocks(gpu: ReturnType<typeof machine>, blocks: readonly number[]): void {
  for (const block of blocks) access(gpu, [{ ...STORE, address: BASE + block * BLOCK }]);
}
eviction("the block that was migrated longest ago goes, however often it was used since", () => {
  const gpu = machine({ chunks: 2 });
  storeToBlocks(gpu, [0, 1, 0, 0, 2]);
  assert.equal(
    chunksOf(gpu)
      .lists()
      .used.map(({ number }) => number - FIRST),
    [1, 2],
  );
  assert.is(gpu.counts.evictions, 1);
});
eviction("a service of a block on the device moves it to the tail, even if nothing moves", () => {
  const gpu = machine({ chunks: 2 });
  storeToBlocks(gpu, [0, 1]);
  gpu.driver.migrate(BASE, PAGE, GPU);
  storeToBlocks(gpu, [2]);
  assert.equal(
    chunksOf(gpu)
      .lists()
      .used.map(({ number }) => number - FIRST),
    [0, 2],
  );
});
eviction("a block smaller than 2 MiB keeps its place from when its chunk was taken", () => {
  const gpu = machine({ chunks: 2 });
  gpu.memory.allocate(BASE, 32 * PAGE);
  storeToBlocks(gpu, [0, 1]);
  access(gpu, [{ ...STORE, address: BASE + 20 * PAGE }]);
  storeToBlocks(gpu, [2]);
  assert.equal(
    chunksOf(gpu)
      .lists()
      .used.map(({ number }) => number - FIRST),
    [1, 2],
  );
});
eviction(
  "a block whose pages have all gone back is unused: its chunk is taken first, without eviction",
  () => {
    const gpu = machine({ chunks: 2 });
    storeToBlocks(gpu, [0, 1]);
    access(gpu, sweep(BASE + BLOCK, 16, READ));
    assert.equal(
      chunksOf(gpu)
        .lists()
        .unused.map(({ number }) => number - FIRST),
      [1],
    );
    storeToBlocks(gpu, [2]);
    assert.is(gpu.counts.evictions, 0);
    assert.ok(chunksOf(gpu).has(gpu.memory.block(FIRST)));
  },
);
eviction("prefetch into a block that has a chunk never evicts", () => {
  const gpu = machine({ chunks: 1 });
  access(gpu, sweep(BASE, 512, STORE));
  assert.is(gpu.counts.evictions, 0);
});
eviction(
  "all resident pages go, a transfer for each run; the CPU maps the block by one fault, without a move",
  () => {
    const gpu = machine({ chunks: 1 });
    access(gpu, sweep(BASE, 512, WRITE));
    assert.is(gpu.counts.cpuFaults, 6);
    access(
      gpu,
      [0, 64].map((page) => ({ ...STORE, address: BASE + page * PAGE })),
    );
    storeToBlocks(gpu, [1]);
    const { eviction: out } = gpu.transfers.counts.toHost;
    assert.equal(out.sizes, { 64: 2 });
    assert.is(gpu.counts.pagesOutEvicted, 32);
    assert.is(gpu.counts.pagesOutDirty, 2);
    // RAM holds the whole block, of which pages 0-15 and 64-79 are not mapped.
    access(gpu, sweep(BASE, 512, WRITE));
    assert.is(gpu.counts.cpuFaults, 7);
    assert.is(gpu.transfers.total("toHost").count, 2);
  },
);
eviction("pages that the CPU holds, too, are not copied", () => {
  const gpu = machine({ chunks: 1 });
  access(gpu, sweep(BASE, 512, WRITE));
  gpu.driver.advise(BASE, BLOCK, 1, CPU);
  access(gpu, [{ ...LOAD, address: BASE }]);
  storeToBlocks(gpu, [1]);
  assert.is(gpu.counts.evictions, 1);
  assert.is(gpu.transfers.total("toHost").count, 0);
  assert.is(countBits(gpu.memory.block(FIRST).resident[CPU]), 512);
});
eviction("an earlier block of a batch may be the victim of a later one, and its access comes again", () => {
  const gpu = machine({ chunks: 1 });
  access(gpu, [
    { ...LOAD, address: BASE },
    { ...LOAD, address: BASE + BLOCK },
  ]);
  // Batch 1 has both; block 1 evicts block 0, whose load faults again in batch 2 and evicts block 1.
  assert.is(gpu.counts.groups, 2);
  assert.is(gpu.counts.evictions, 2);
});
eviction("prefetched pages that leave before they were used are counted", () => {
  const gpu = machine({ chunks: 1 });
  access(gpu, [
    { ...LOAD, address: BASE },
    { ...LOAD, address: BASE + 3 * PAGE },
  ]);
  // Both pages faulted: 14 came along, of which none was used.
  access(gpu, [{ ...LOAD, address: BASE + 4 * PAGE }]);
  storeToBlocks(gpu, [1]);
  assert.is(gpu.counts.prefetchedUsed, 1);
  assert.is(gpu.counts.prefetchedUnused, 13);
  assert.equal(listOf(gpu.memory.block(FIRST).left[1]), listOf(bitsOf([[0, 15]])));
  storeToBlocks(gpu, [0]);
  assert.is(gpu.counts.pagesInAgain, 16);
});
eviction.run();
