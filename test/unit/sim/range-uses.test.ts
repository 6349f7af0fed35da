/** Named ranges under HMM: pages that came along with others, used and unused, and pages that thrash. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { simulate, Simulation, type RangeReport, type SimulationReport } from "../../../src/sim.ts";
import { BASE, blockOf, PAGE, pages } from "../../util/sim-blocks.ts";

const CLUSTER = 16 * PAGE;
/** Two clusters fit. */
const CONFIG = {
  systemMemory: "16MiB",
  deviceMemory: "128KiB",
  ranges: [{ name: "a", start: BASE, end: BASE + CLUSTER }],
} as const;

type Uses = [prefetched: number, used: number, unused: number, thrashed: number];

/** The four counts of the only range, in pages. */
function usesOf({ ranges: [a] }: SimulationReport): Uses {
  const counts = (
    ["bytesPrefetched", "bytesPrefetchedUsed", "bytesPrefetchedUnused", "bytesThrashed"] as const
  ).map((key: keyof RangeReport) => (a[key] as number) / PAGE);
  return counts as Uses;
}

const device = { agent: 1 };
/** Clusters 1 and 2 push cluster 0 out. */
const OUT = [...pages(16, 1, device), ...pages(32, 1, device)];

const uses = suite("sim: uses by range under HMM");
uses("what came along is used at its first access, and unused when it leaves without one", async () => {
  // Page 3 faults, and 15 pages come along. Pages 4 and 5 are used, 5 twice; then the cluster is evicted.
  const first = [...pages(3, 3, device), ...pages(5, 1, device)];
  assert.equal(usesOf(await simulate([blockOf(first)], CONFIG)), [15, 2, 0, 0]);
  assert.equal(usesOf(await simulate([blockOf([...first, ...OUT])], CONFIG)), [15, 2, 13, 0]);
  // It comes again by page 4, so page 3 comes along this time; all 16 pages thrash, each once.
  const again = [...first, ...OUT, ...pages(4, 1, device), ...pages(3, 1, device)];
  assert.equal(usesOf(await simulate([blockOf(again)], CONFIG)), [30, 3, 13, 16]);
  const thrice = [...again, ...OUT, ...pages(3, 1, device)];
  assert.equal(usesOf(await simulate([blockOf(thrice)], CONFIG)), [45, 3, 27, 16]);
});
uses("a page that the CPU takes back unused counts, and pages outside of the range do not", async () => {
  const accesses = [...pages(0, 1, device), ...pages(9, 1), ...pages(16, 2, device)];
  assert.equal(usesOf(await simulate([blockOf(accesses)], CONFIG)), [15, 0, 15, 0]);
});
uses("of a cluster that lies in several ranges, each has its own pages", async () => {
  // Pages 0 to 5 are of a, 6 to 8 of nobody, 9 to 20 of b: it has 7 pages of cluster 0 and 5 of cluster 1.
  const range = (name: string, first: number, end: number) => ({
    name,
    start: BASE + first * PAGE,
    end: BASE + end * PAGE,
  });
  const ranges = [range("a", 0, 6), range("b", 9, 21)];
  const accesses = [...pages(3, 1, device), ...pages(16, 1, device), ...pages(32, 1, device)];
  const report = await simulate([blockOf(accesses)], { ...CONFIG, ranges });
  const counts = report.ranges.map(({ bytesIn, bytesOut, bytesPrefetched }) =>
    [bytesIn, bytesPrefetched, bytesOut].map((bytes) => bytes / PAGE),
  );
  // Page 3 of a and page 16 of b have faulted; cluster 2 pushes cluster 0 out.
  assert.equal(counts, [
    [6, 5, 6],
    [12, 11, 7],
  ]);
});
uses("of pages that come again together, those that have thrashed before do not count twice", async () => {
  // Twenty pages fit, and pages leave one by one, those that were never used first. Pages 16 to 31 push
  // pages of a out but page 0, which was used; page 1 brings them back, and they push the other three out,
  // which come again, too: 15. Then 48 pages of others push all of a out, and page 0 comes again as the 16th.
  const twenty = { ...CONFIG, deviceMemory: "80KiB", cluster: "4KiB", prefetch: "sl" } as const;
  const first = [...pages(0, 1, device), ...pages(16, 1, device), ...pages(0, 16, device)];
  assert.is(usesOf(await simulate([blockOf(first)], twenty))[3], 15);
  const others = [16, 32, 48].flatMap((page) => [...pages(page, 16, device)]);
  const again = [...first, ...others, ...pages(5, 1, device)];
  assert.is(usesOf(await simulate([blockOf(again)], twenty))[3], 16);
});
uses("an access over a link is a use", async () => {
  const accesses = [...pages(0, 1, device), ...pages(8, 1, { agent: 2 }), ...OUT];
  const config = { ...CONFIG, devices: 2, peers: "all" } as const;
  assert.equal(usesOf(await simulate([blockOf(accesses)], config)), [15, 1, 14, 0]);
});
uses("uses before the region of interest do not count in it", async () => {
  // Accesses 0 to 2 are before it: they bring 15 pages along and use two.
  const accesses = [...pages(3, 3, device), ...pages(6, 1, device), ...OUT];
  const report = await simulate([blockOf(accesses)], { ...CONFIG, roi: "3-" });
  assert.equal(usesOf(report), [0, 1, 12, 0]);
});
uses("reports in between change nothing, and snapshots go on", async () => {
  const accesses = [...pages(3, 3, device), ...OUT, ...pages(4, 2, device), ...OUT, ...pages(0, 16, device)];
  const whole = await simulate([blockOf(accesses)], CONFIG);
  using simulation = await Simulation.create(CONFIG);
  for (let at = 0; at < accesses.length; at += 3) {
    simulation.feed(blockOf(accesses.slice(at, at + 3)));
    simulation.report();
    using copy = Simulation.restore(simulation.snapshot());
    copy.feed(blockOf(accesses.slice(at + 3)));
    assert.equal(copy.report(), whole);
  }
  assert.equal(simulation.report(), whole);
  // Page 5 twice and page 4 once of the first two stays; then all but the page that faulted.
  assert.equal(usesOf(whole), [45, 2 + 1 + 15, 13 + 14, 16]);
});
uses.run();
