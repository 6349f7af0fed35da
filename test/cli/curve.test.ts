/** `heteromem curve`, and policies by the options of `heteromem run`. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { file, heteromem, report, run } from "./command.ts";

const cli = suite("heteromem curve");

/** Pages 1, 2, 3, 1, 2, 3, 1, 1 as lines of ADDRESS R|W; page 2 is written. */
const LINES = [1, 2, 3, 1, 2, 3, 1, 1]
  .map((page) => `0x${(0x500000 + page * 4096).toString(16)} ${page === 2 ? "W" : "R"}\n`)
  .join("");

cli("prints LRU's misses at every size, and OPT's at some", () => {
  const trace = file("loop.txt", LINES);
  const args = ["curve", trace, "--agent", "device", "--opt", "8K,12KiB"];
  const { status, stdout, stderr } = heteromem([...args, "--json"]);
  assert.is(stderr, "");
  assert.is(status, 0);
  // A loop over three pages: LRU with one or two frames hits the last access only. OPT with two frames keeps
  // page 1 when 3 comes; then page 2 misses, and one of 3 and 1.
  assert.equal(JSON.parse(stdout), {
    schema: "heteromem-curve/1",
    cluster: 4096,
    accesses: 8,
    clusters: 3,
    lru: [8, 7, 7, 3],
    opt: [
      { bytes: 8192, misses: 5 },
      { bytes: 12288, misses: 3 },
    ],
  });
  const text = heteromem(args).stdout;
  assert.match(text, /^8 accesses of the device to 3 clusters of 4 KiB\n/);
  assert.match(text, /^ +4 KiB +7 +87\.5 %$/m);
  assert.match(text, /^ +8 KiB +7 +87\.5 % +5 +62\.5 %$/m);
  assert.match(text, /^ +12 KiB +3 +37\.5 % +3 +37\.5 %$/m);
});

cli("runs of the policies bring in what the curve says", () => {
  const trace = file("loop.txt", LINES);
  const demand = ["--agent", "device", "--cluster", "4K", "--prefetch", "none", "--device-frames", "2"];
  const pages = (...args: string[]): number[] => {
    const { pagesIn, pagesOutDirty, pagesOutClean } = report(trace, ...demand, ...args).device;
    return [pagesIn, pagesOutDirty, pagesOutClean];
  };
  // LRU: 1 2 | 3 for 1, 1 for 2, 2 for 3, 3 for 1, 1 for 2.
  assert.equal(pages("--evict", "lru"), [7, 2, 3]);
  assert.equal(pages("--evict", "lru-4k"), [7, 2, 3]);
  assert.is(pages("--evict", "opt")[0], 5);
  // MRU: 3 for 2, 2 for 1 (used last), 3 stays, 1 for 3.
  assert.equal(pages("--evict", "mru"), [5, 1, 2]);
  const text = run(trace, ...demand, "--evict", "segfifo:50", "--bound", "opt").stdout;
  assert.match(text, /segfifo:50: the oldest unit of a list that takes what falls out of a FIFO/);
  assert.match(text, /least by OPT +5 {2}pages in; 7 came, 1\.40 times as many/);
});

cli("wrong usage is one line on stderr", () => {
  const trace = file("loop.txt", LINES);
  const wrong: [args: string[], says: RegExp][] = [
    [["curve"], /expected a trace or --workload, and not both/],
    [["curve", trace], /loop\.txt: the device accesses nothing; --agent device makes all accesses its own/],
    [["curve", trace, "--agent", "device", "--opt", "1K"], /--opt 1K: expected a size from 4KiB on/],
    [["curve", trace, "--cluster", "5K"], /--cluster 5K: expected 4K or 64K/],
    [["run", trace, "--evict", "worst"], /--evict worst: expected lru or lru-4k/],
    [["run", trace, "--device-frames", "x"], /--device-frames x: expected a whole number from 16 to/],
    [["run", trace, "--prefetch-full", "all"], /--prefetch-full all: expected cluster64K or none/],
  ];
  for (const [args, says] of wrong) {
    const { status, stdout, stderr } = heteromem(args);
    assert.is(status, 2, args.join(" "));
    assert.is(stdout, "");
    assert.match(stderr, says);
    assert.is(stderr.trim().split("\n").length, 1);
  }
  const opt = ["run", "-", "--evict", "opt", "--prefetch", "none", "--agent", "device"];
  const { status, stderr } = heteromem(opt, readFileSync(trace));
  assert.is(status, 2);
  assert.match(stderr, /--evict opt: expected a trace that can be read twice, not standard input/);
});

cli("the help names the policies", () => {
  const { stdout } = heteromem(["run", "--help"]);
  for (const name of ["sieve", "s3-fifo", "segfifo", "sequential", "--prefetch-full", "--bound"])
    assert.ok(stdout.includes(name), name);
  assert.match(heteromem(["curve", "--help"]).stdout, /--opt <SIZE/);
});
cli.run();
