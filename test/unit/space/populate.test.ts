/** Faulting in a range at once has the same result as faulting in its pages one by one. */
import * as assert from "uvu/assert";
import {
  Hmm,
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  Memcg,
  MmuIntervalNotifier,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
  type Mm,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";

const MIB = 1 << 20;
const PRIVATE = { prot: PROT_READ | PROT_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS };
/** More pages than a leaf table has entries. */
const PAGES = 700;

type Touch = (mm: Mm, start: number) => void;

const populate: Touch = (mm, start) => mm.populate(start, PAGES * PAGE_SIZE);
const store: Touch = (mm, start) => {
  for (let i = 0; i < PAGES; i++) mm.store32(start + i * PAGE_SIZE + 8, 0);
};

/** Touches a child whose pages are shared, its own, zero pages and missing, and returns the visible state. */
function touched(
  module: WebAssembly.Module,
  touch: Touch,
  { charged = false, watched = false } = {},
): unknown {
  const hmm = Hmm.createSync(module, { systemMemory: 8 * MIB, deviceMemory: 0 });
  const memcg = charged ? new Memcg({ limit: 2 * PAGES }) : undefined;
  const parent = hmm.createMm(memcg ? { memcg } : {});
  const start = parent.mmap({ length: PAGES * PAGE_SIZE, ...PRIVATE });
  const at = (i: number): number => start + i * PAGE_SIZE;
  for (let i = 0; i < PAGES; i++) {
    if (i % 23 === 3) parent.load32(at(i));
    else if (i % 31 !== 5) parent.store32(at(i), i);
  }
  const child = parent.fork();
  child.madvise(at(200), 9 * PAGE_SIZE, MADV_DONTNEED);
  for (let i = 0; i < PAGES; i++) if (i % 19 === 0 || (i > 300 && i < 400)) parent.store32(at(i), 7);

  const seen: unknown[] = [];
  const told: unknown[] = [];
  hmm.on("fault", (event) => seen.push(event));
  if (watched) {
    new MmuIntervalNotifier(child, at(250), 20 * PAGE_SIZE, {
      invalidate: ({ start: from, end }) => void told.push([from, end]),
    });
  }
  touch(child, start);
  for (let i = 0; i < PAGES; i++) {
    child.store32(at(i) + 4, ~i);
    for (const mm of [parent, child]) seen.push(mm.lookupPte(at(i)), [...mm.read(at(i), 12)]);
  }
  hmm.verify();
  seen.push(hmm.stats.faults, parent.rss, child.rss, memcg?.usage, told);
  child.close();
  populate(parent, start);
  seen.push(hmm.stats.faults, parent.rss, memcg?.usage);
  hmm.verify();
  return seen;
}

onEachBuild("populate", (test, module) => {
  test("a range shared after fork, and a range that belongs to one mm again", () => {
    assert.equal(touched(module, populate), touched(module, store));
  });

  test("charged pages", () => {
    assert.equal(touched(module, populate, { charged: true }), touched(module, store, { charged: true }));
  });

  test("a notifier subscribes to a part of the range", () => {
    assert.equal(touched(module, populate, { watched: true }), touched(module, store, { watched: true }));
  });

  test("the page is copied before a write of the parent can change it", () => {
    const mm = Hmm.createSync(module, { systemMemory: 4 * MIB, deviceMemory: 0 }).createMm();
    const start = mm.mmap({ length: 64 * PAGE_SIZE, ...PRIVATE });
    for (let i = 0; i < 64; i++) mm.store32(start + i * PAGE_SIZE, i + 1);
    const child = mm.fork();
    child.populate(start, 64 * PAGE_SIZE);
    for (let i = 0; i < 64; i++) mm.store32(start + i * PAGE_SIZE, 0);
    for (let i = 0; i < 64; i++) assert.is(child.load32(start + i * PAGE_SIZE), i + 1);
    mm.hmm.verify();
  });
}).run();
