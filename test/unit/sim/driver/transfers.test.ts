/** Transfers: maximal runs with one source, destination and cause. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CPU } from "../../../../src/sim/driver/processor.ts";
import { Transfers } from "../../../../src/sim/driver/transfers.ts";
import { bitsOf } from "./pages.ts";

const GPU = 1;

const test = suite("driver: transfers");
test("each run of consecutive pages is a transfer, counted by its size", () => {
  const transfers = new Transfers();
  const seen: unknown[] = [];
  transfers.onTransfer = (...all) => seen.push(all);
  const pages = bitsOf([
    [0, 0],
    [2, 33],
    [511, 511],
  ]);
  assert.is(transfers.copy(pages, CPU, GPU, "fault"), 3);
  const { count, bytes, sizes } = transfers.counts.toDevice.fault;
  assert.equal({ count, bytes, sizes }, { count: 3, bytes: 34 * 4096, sizes: { 4: 2, 128: 1 } });
  assert.equal(seen, [
    [4096, "toDevice", "fault", 0],
    [32 * 4096, "toDevice", "fault", 2 * 4096],
    [4096, "toDevice", "fault", 511 * 4096],
  ]);
});
test("directions and causes are counted apart, and together in the total", () => {
  const transfers = new Transfers(2);
  const page = bitsOf([[0, 0]]);
  transfers.copy(page, GPU, CPU, "eviction");
  transfers.copy(page, GPU, CPU, "fault");
  transfers.copy(page, GPU, 2, "prefetch");
  assert.is(transfers.counts.toHost.eviction.count, 1);
  assert.equal(transfers.total("toHost"), { count: 2, bytes: 8192 });
  assert.equal(transfers.total("peer"), { count: 1, bytes: 4096 });
  assert.equal(transfers.total("toDevice"), { count: 0, bytes: 0 });
  // A copy between devices is of the one to which it goes.
  const [one, two] = transfers.books.map((book) => book.totals());
  assert.equal([one.toHost.count, one.peer.count, two.toHost.count, two.peer.count], [2, 0, 0, 1]);
});
test.run();
