/** Room by pages, and prefetchers by fault, under the managed driver. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { newBits, setRange } from "../../../../src/sim/driver/bits.ts";
import { newCounts } from "../../../../src/sim/driver/driver-counts.ts";
import { PageRoom } from "../../../../src/sim/driver/page-room.ts";
import { NO_LISTENER } from "../../../../src/sim/driver/room.ts";
import { VaBlock } from "../../../../src/sim/driver/va-block.ts";
import { prefetcherByFault } from "../../../../src/sim/policies/block-prefetch.ts";
import { EVICTORS } from "../../../../src/sim/policies/evict/index.ts";
import { sequential } from "../../../../src/sim/policies/prefetch/sequential.ts";
import { tbn } from "../../../../src/sim/policies/prefetch/tbn.ts";
import { bitsOf, listOf } from "./pages.ts";

const NONE = bitsOf([]);
const test = suite("driver: room by pages");
/** A room of some pages by a policy, and what it has evicted: the first and last page of each run. */
function roomOf(pages: number, evict: "fifo" | "lru", more: { reserve?: number; freeBuffer?: number } = {}) {
  const blocks = [0, 1].map((number) => new VaBlock(number, 512, 2));
  const gone: number[][] = [];
  const options = { pages, evict: { policy: EVICTORS[evict], parameter: undefined }, seed: 1 };
  const place = {
    device: 1,
    counts: newCounts(),
    listener: NO_LISTENER,
    evict: (block: VaBlock, bits: Uint32Array) => {
      gone.push(
        ...listOf(bits).map(([first, last]) => [512 * block.number + first, 512 * block.number + last]),
      );
      const n = listOf(bits).reduce((sum, [first, last]) => sum + last - first + 1, 0);
      bits.forEach((word, w) => (block.resident[1][w] &= ~word));
      room.left(block, bits, true);
      return n;
    },
  };
  const whole = { reserve: 0, freeBuffer: 0, ...more, ...options, block: (number: number) => blocks[number] };
  const room: PageRoom = new PageRoom(whole, place);
  /** Asks for pages, with others along, which then come. Returns what has no room. */
  const come = (block: number, asked: number[][], along: number[][] = []) => {
    const [pages, prefetched] = [bitsOf(asked), bitsOf(along)];
    const lacking = room.make(blocks[block], pages, prefetched);
    for (const bits of [prefetched, pages])
      for (const [first, last] of listOf(bits)) {
        setRange(blocks[block].resident[1], first, last + 1);
      }
    room.arrived(blocks[block], { asked: pages, along: prefetched, by: () => "load" });
    return lacking === null ? null : listOf(lacking);
  };
  return { room, come, gone, blocks, along: (bits: number[][]) => bits };
}
test("victims are chosen when it is known what comes, and never among what comes", () => {
  const { come, gone, room } = roomOf(8, "fifo");
  assert.is(come(0, [[0, 0]], [[1, 3]]), null);
  assert.is(come(1, [[0, 3]]), null);
  assert.not.ok(room.full);
  // Pages 1 to 3 are the oldest, then 0. Page 1 is asked for again: it stays, and only 4 and 5 need room.
  assert.is(
    come(
      0,
      [[4, 4]],
      [
        [1, 1],
        [5, 5],
      ],
    ),
    null,
  );
  assert.ok(room.full);
  assert.equal(gone, [
    [2, 2],
    [3, 3],
  ]);
});
test("without room what comes along is cut first, its last pages before others, then what was asked", () => {
  const { come, gone } = roomOf(4, "fifo");
  come(0, [[0, 3]]);
  const pages = [[10, 12]];
  assert.is(come(0, pages, [[13, 20]]), null);
  assert.equal(gone, [
    [0, 0],
    [1, 1],
    [2, 2],
    [3, 3],
  ]);
  const full = roomOf(4, "fifo");
  assert.equal(full.come(0, [[10, 15]], [[16, 20]]), [[14, 15]]);
  assert.equal(listOf(full.blocks[0].resident[1]), [[10, 13]]);
});
test("a free buffer evicts before memory is full, and yields to what could not come otherwise", () => {
  const { come, gone, room } = roomOf(10, "fifo", { freeBuffer: 25 }); // 2 of 10 pages
  come(0, [[0, 7]]);
  assert.equal([gone, room.full], [[], false]);
  come(0, [[8, 8]]);
  assert.equal([gone, room.full], [[[0, 0]], true]);
  // 10 pages come: all others leave, and the buffer is used.
  assert.is(come(1, [[0, 9]]), null);
  assert.is(room.occupancy, 1);
});
test("a reserve skips the oldest part of the order of use", () => {
  const { come, gone } = roomOf(10, "lru", { reserve: 35 }); // 3 of 10
  for (let i = 0; i < 10; i++) come(0, [[i, i]]);
  come(0, [[20, 20]]);
  assert.equal(gone, [[3, 3]]);
});
test("the access that brought a page is no use of its own, and later ones are", () => {
  const { come, gone, room, blocks } = roomOf(3, "lru");
  for (let i = 0; i < 3; i++) come(0, [[i, i]]);
  for (let i = 0; i < 3; i++) room.used(blocks[0], i); // by the accesses that brought them
  come(0, [[3, 3]]);
  room.used(blocks[0], 1);
  come(0, [[4, 4]]);
  assert.equal(gone, [
    [0, 0],
    [2, 2],
  ]);
});
test.run();

const prefetch = suite("driver: prefetchers by fault, for a block");
const query = (faulted: number[][], resident: number[][] = [], thrashing: number[][] = [], pages = 512) => ({
  pages,
  resident: bitsOf(resident),
  faulted: bitsOf(faulted),
  thrashing: bitsOf(thrashing),
  done: bitsOf(resident),
});
prefetch("tbn takes the faults in order, and what one has brought counts for the next", () => {
  const out = newBits();
  prefetcherByFault(tbn, undefined)(
    query([
      [0, 0],
      [16, 16],
      [32, 32],
    ]),
    out,
  );
  // Block 0; block 1 (half of the node of two: not more); block 2 makes 3 of 4, so block 3 comes.
  assert.equal(listOf(out), [
    [1, 15],
    [17, 31],
    [33, 63],
  ]);
});
prefetch("sequential:N ends with the block, and leaves out what is there or thrashes", () => {
  const out = newBits();
  prefetcherByFault(sequential, 4)(
    query(
      [
        [0, 0],
        [508, 508],
      ],
      [[2, 2]],
      [[3, 3]],
    ),
    out,
  );
  assert.equal(listOf(out), [
    [1, 1],
    [4, 4],
    [509, 511],
  ]);
  const short = newBits();
  prefetcherByFault(sequential, 4)(query([[8, 8]], [], [], 10), short);
  assert.equal(listOf(short), [[9, 9]]);
  assert.equal(listOf(NONE), []);
});
prefetch.run();
