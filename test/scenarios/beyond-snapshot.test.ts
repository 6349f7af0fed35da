/** Snapshots and faults for a device, beyond the kernel's own tests: scenarios E19 to E26. */
import * as assert from "uvu/assert";
import {
  EFAULT,
  FAULT_SIGBUS,
  HMM_PFN_ERROR,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  hmmPfnToPage,
  hmmPfnValid,
  hmmPfnWritable,
  HmmRange,
  hmmRangeFault,
  hmmRangeFaultAsync,
  hmmVmaFault,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MIGRATE_PFN_ERROR,
  migratePfnToPage,
  migrateVmaSetup,
  type HmmError,
  type HmmRangeFaultArgs,
} from "../../src/index.ts";
import { errorOf } from "../util/driver.ts";
import { settled } from "../util/async-fixture.ts";
import { Beyond, codeOf, entries, entry, filled, P, page, pfnAt, times, type World } from "./beyond.ts";

const scenarios = new Beyond();
const scenario = scenarios.add;

const PMD = 512 * P;
const REQ_BOTH = (HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE) >>> 0;

/** Calls hmmRangeFault over n pages with the given slots, or with zeros. */
function rangeFault(
  { mm }: World,
  start: number,
  n: number,
  args: Partial<HmmRangeFaultArgs> = {},
): { answer: number; pfns: Uint32Array } {
  const pfns = args.pfns ?? new Uint32Array(n);
  using _sem = mm.mmapSem.read();
  return { answer: hmmRangeFault({ mm, start, end: start + n * P, ...args, pfns }), pfns };
}

/** Shortens a slot to a letter: "-" nothing, "r" readable, "w" writable, "E" error. */
function short(word: number): string {
  if ((word & HMM_PFN_ERROR) !== 0) return "E";
  return !hmmPfnValid(word) ? "-" : hmmPfnWritable(word) ? "w" : "r";
}

scenario("E19 only slot 3 has a request: that slot and the rest of its chunk are faulted in", (world) => {
  const { mm } = world;
  // Eight pages below a multiple of 2 MiB, four above.
  const addr = mm.mmap({
    addr: 64 * PMD - 8 * P,
    length: 12 * P,
    flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
  });
  mm.store32(addr + P, 7);
  const pfns = new Uint32Array(12);
  pfns[3] = HMM_PFN_REQ_FAULT;
  const { answer } = rangeFault(world, addr, 12, { pfns, pfnFlagsMask: HMM_PFN_REQ_FAULT });
  assert.is(answer, 0);
  assert.is([...pfns].map(short).join(""), "-w-rrrrr----");
  assert.equal(entries(mm, addr, 12), [
    "none",
    "present w",
    "none",
    ...times(5, "zero"),
    ...times(4, "none"),
  ]);
  assert.is(hmmPfnToPage(pfns[1]), pfnAt(mm, addr + P));
});

scenario("E20 REQ_WRITE without REQ_FAULT requests nothing", (world) => {
  const { mm } = world;
  const addr = mm.mmap({ length: 4 * P });
  mm.load32(addr + P);
  mm.store32(addr + 2 * P, 1);
  const { total } = mm.faults;
  const { answer, pfns } = rangeFault(world, addr, 4, {
    defaultFlags: HMM_PFN_REQ_WRITE,
    pfnFlagsMask: HMM_PFN_REQ_WRITE,
    pfns: new Uint32Array(4).fill(HMM_PFN_REQ_WRITE),
  });
  assert.is(answer, 0);
  assert.is([...pfns].map(short).join(""), "-rw-");
  assert.is(mm.faults.total, total);
  assert.equal(entries(mm, addr, 4), ["none", "zero", "present w", "none"]);
});

scenario(
  "E21 the caller's own read-only device page is reported without WRITE, whatever is requested",
  (world) => {
    const { mm, gpu } = world;
    const addr = filled(mm, 2);
    gpu.toDevice(addr, addr + 2 * P);
    mm.fork();
    assert.equal(entries(mm, addr, 2), ["device", "device"]);
    const device = pfnAt(mm, addr);
    const { answer, pfns } = rangeFault(world, addr, 2, { defaultFlags: REQ_BOTH, owner: gpu });
    assert.is(answer, 0);
    assert.is([...pfns].map(short).join(""), "rr");
    assert.is(hmmPfnToPage(pfns[0]), device);
    assert.is(gpu.faults, 0);
  },
);

scenario("E22 a foreign device page: 0 in a snapshot, brought back by REQ_FAULT", (world) => {
  const { hmm, mm, gpu } = world;
  const addr = filled(mm, 3);
  gpu.toDevice(addr, addr + 3 * P);
  for (const owner of [undefined, {}]) {
    const { answer, pfns } = rangeFault(world, addr, 3, { owner });
    assert.is(answer, 0);
    assert.equal([...pfns], [0, 0, 0]);
  }
  assert.is(gpu.faults, 0);
  const { answer, pfns } = rangeFault(world, addr, 3, { owner: {}, defaultFlags: HMM_PFN_REQ_FAULT });
  assert.is(answer, 0);
  assert.is(gpu.faults, 3);
  assert.ok([...pfns].every((word) => hmmPfnValid(word) && !hmm.isDevicePage(hmmPfnToPage(word))));
  assert.is(gpu.devmem.usedPages, 0);
  assert.equal(mm.read(addr + P, P), page(2));
});

scenario(
  "E25 a page in a migration: 0 in a snapshot, which does not wait; a fault waits for the end",
  async (world) => {
    const { hmm, mm, gpu } = world;
    const addr = filled(mm, 2);
    using _sem = mm.mmapSem.read();
    const [start, end] = [addr, addr + 2 * P];
    const m = migrateVmaSetup({ vma: mm.findVma(addr), start, end: addr + P, owner: gpu });
    assert.is([...rangeFault(world, addr, 2).pfns].map(short).join(""), "-w");
    const faulting = { mm, start, end, owner: gpu, defaultFlags: HMM_PFN_REQ_FAULT };
    const error = errorOf(() => hmmRangeFault({ ...faulting, pfns: new Uint32Array(2) })) as HmmError;
    assert.equal([error.code, error.migration, error.address], ["EAGAIN", m.id, addr]);
    const pfns = new Uint32Array(2);
    const waiting = hmmRangeFaultAsync({ ...faulting, pfns });
    assert.not(await settled(waiting));
    gpu.devmem.allocPages(m.src, m.dst);
    const moved = migratePfnToPage(m.dst[0]);
    hmm.copyPages(m.src, m.dst);
    m.pages();
    assert.not(await settled(waiting), "pages() is not the end");
    m.finalize();
    assert.is(await waiting, 0);
    assert.is(pfnAt(mm, addr), hmmPfnToPage(pfns[0]));
    assert.is(hmmPfnToPage(pfns[0]), moved, "the new page");
    assert.equal([...pfns].map(short).join(""), "ww");
  },
);

scenario("E26 a lost page: 0 in a snapshot, -EFAULT for a fault, SIGBUS for the CPU", (world) => {
  const { mm, gpu } = world;
  const addr = filled(mm, 4);
  {
    using _sem = mm.mmapSem.read();
    using m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr + P, end: addr + 2 * P, owner: gpu });
    m.dst[0] = MIGRATE_PFN_ERROR;
    assert.is(m.pages(), 0);
  }
  const { answer, pfns } = rangeFault(world, addr, 4);
  assert.is(answer, 0);
  assert.is([...pfns].map(short).join(""), "w-ww");
  for (const defaultFlags of [HMM_PFN_REQ_FAULT, REQ_BOTH]) {
    assert.is(rangeFault(world, addr, 4, { defaultFlags }).answer, -EFAULT);
    assert.is(rangeFault(world, addr + 2 * P, 2, { defaultFlags }).answer, 0, "its neighbours are there");
  }
  {
    using _sem = mm.mmapSem.read();
    const range = new HmmRange();
    const slots = new Uint32Array(4).fill(0x1234567);
    assert.is(hmmVmaFault(mm.findVma(addr), range, addr, addr + 4 * P, slots, false, true), -EFAULT);
    assert.is([...slots].map(short).join(""), "wE--");
  }
  assert.is((errorOf(() => mm.load32(addr + P)) as HmmError).faultCode, FAULT_SIGBUS);
  assert.is(
    codeOf(() => mm.store32(addr + P, 1)),
    "EFAULT",
  );
  assert.is(mm.rss.anon, 3, "it does not count any more");
  assert.is(entry(mm, addr), "present w");
});

scenarios.run("beyond: snapshots");
