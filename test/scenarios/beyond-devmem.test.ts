/** The life of device memory and of exclusive pages, and the sums over all entries: scenarios E72 to E80. */
import * as assert from "uvu/assert";
import { Dmirror } from "../../src/dmirror.ts";
import {
  EFAULT,
  EOPNOTSUPP,
  eventName,
  hmmDevmemAdd,
  hmmDevmemRemove,
  MADV_DONTNEED,
  makeDeviceExclusive,
  MAP_ANONYMOUS,
  MAP_SHARED,
  MmuIntervalNotifier,
  PROT_READ,
  type HmmDevmem,
  type LinuxVersion,
} from "../../src/index.ts";
import { errorOf, MIB } from "../util/driver.ts";
import {
  Beyond,
  checkSums,
  codeOf,
  entries,
  entry,
  filled,
  holds,
  listen,
  P,
  pfnAt,
  RW,
  type World,
} from "./beyond.ts";

const scenarios = new Beyond();
const scenario = scenarios.add;
/** A scenario under another version. */
const part = scenarios.add;

const ops = { fault: (): void => {} };

scenario("E72 remove brings back the pages that can move and reports the others", ({ hmm, mm, gpu }) => {
  const addr = filled(mm, 4);
  gpu.toDevice(addr, addr + 4 * P);
  const held = pfnAt(mm, addr + P);
  hmm.pageGet(held);
  assert.equal(hmmDevmemRemove(gpu.devmem), { stillInUse: 1 });
  assert.not(gpu.devmem.removed);
  assert.equal(entries(mm, addr, 4), ["present w", "device w", "present w", "present w"]);
  assert.is(gpu.devmem.allocPage(), 0, "nothing more is handed out");
  assert.is(
    codeOf(() => gpu.devmem.close()),
    "EBUSY",
  );
  hmm.pagePut(held);
  holds(mm, addr, 4);
  assert.equal(hmmDevmemRemove(gpu.devmem), { stillInUse: 0 });
  assert.ok(gpu.devmem.removed);
  assert.is(gpu.freed.length, 4);
  assert.is(gpu.faults, 1, "the CPU's touch of the page that was held");
  assert.equal(hmmDevmemRemove(null), { stillInUse: 0 });
});

scenario("E73 add takes whole disjoint blocks until none is left; removed blocks are used again", (world) => {
  const { hmm, gpu } = world;
  // Device memory is 8 MiB; the world's device has 4 MiB of it.
  const add = (size: number): HmmDevmem => hmmDevmemAdd(hmm, ops, {}, size);
  const a = add(P);
  const b = add(2 * MIB - 1);
  for (const devmem of [a, b]) assert.is(devmem.npages, 512, "rounded up to 2 MiB");
  const ranges = [gpu.devmem, a, b].map(({ pfnFirst, pfnEnd }) => [pfnFirst, pfnEnd]);
  ranges.sort(([x], [y]) => x - y);
  for (let i = 1; i < ranges.length; i++) assert.ok(ranges[i - 1][1] <= ranges[i][0]);
  const error = errorOf(() => add(P))!;
  assert.match(error.message, /ENOMEM: device memory/);
  const { pfnFirst } = a;
  a.close();
  assert.is(
    codeOf(() => add(2 * MIB + 1)),
    "ENOMEM",
    "the hole is too small",
  );
  const again = add(2 * MIB);
  assert.is(again.pfnFirst, pfnFirst);
  assert.equal(hmm.devmems().length, 3);
});

scenario("E75 exit with device pages and exclusive entries: release runs before pages are freed", (world) => {
  const { hmm, memcg, mm, gpu } = world;
  const addr = filled(mm, 6);
  gpu.toDevice(addr, addr + 3 * P);
  {
    using _sem = mm.mmapSem.read();
    using lent = makeDeviceExclusive(mm, addr + 3 * P, 2, gpu);
    assert.is(lent.lent, 2);
  }
  assert.equal(entries(mm, addr, 6).slice(2), ["device w", "exclusive w", "exclusive w", "present w"]);
  assert.equal([mm.rss.anon, memcg.usage], [6, 6]);
  const { freePages } = hmm;
  let atRelease: number[] = [];
  listen(mm, { onRelease: () => (atRelease = [gpu.devmem.usedPages, gpu.freed.length, memcg.usage]) });
  mm.close();
  assert.equal(atRelease, [3, 0, 6]);
  assert.is(gpu.released, 1);
  assert.is(memcg.usage, 0);
  assert.equal([gpu.devmem.usedPages, gpu.freed.length], [0, 3]);
  assert.is(hmm.freePages, freePages + 3);
});

/** E76 under the rules of a version. */
const exclusive = (linux: LinuxVersion): ((world: World) => void) => {
  // What mirror a hears when it loses the page.
  const lost = linux === "6.12" ? "EXCLUSIVE" : "CLEAR";
  return ({ hmm, mm, gpu }) => {
    const addr = filled(mm, 4);
    const shared = mm.mmap({ length: P, flags: MAP_SHARED | MAP_ANONYMOUS });
    const [a, b] = ["device a", "device b"];
    const heard: unknown[] = [];
    new MmuIntervalNotifier(mm, addr, 4 * P, {
      invalidate: ({ event, start, owner }) => {
        heard.push([eventName(event).slice("MMU_NOTIFY_".length), start, owner]);
      },
    });
    using _sem = mm.mmapSem.read();
    const lend = (at: number, owner: unknown): number => {
      using pages = makeDeviceExclusive(mm, at, 1, owner);
      return pages.lent;
    };
    assert.is(lend(addr, a), 1);
    assert.equal(heard, [["EXCLUSIVE", addr, a]]);
    assert.is(lend(addr, b), 1);
    assert.equal(heard.slice(1), [
      [lost, addr, null],
      ["EXCLUSIVE", addr, b],
    ]);
    assert.is(entry(mm, addr), "exclusive w");
    holds(mm, addr, 1);
    assert.equal(heard.slice(3), [[lost, addr, null]]);
    assert.is(entry(mm, addr), "present w");
    // 6.12 lends nothing of memory that is not anonymous, 7.3 says why.
    if (linux === "6.12") assert.is(lend(shared, a), 0);
    else
      assert.is(
        codeOf(() => lend(shared, a)),
        "EOPNOTSUPP",
      );
    assert.is(entry(mm, shared), "present w");
    assert.is(lend(addr + P, a), 1);
    const { freePages } = hmm;
    mm.madvise(addr + P, P, MADV_DONTNEED);
    assert.equal([entry(mm, addr + P), hmm.freePages, mm.rss.anon], ["none", freePages + 1, 3]);
    _sem.close();
    mm.mprotect(addr + 2 * P, P, PROT_READ);
    using _again = mm.mmapSem.read();
    assert.is(
      codeOf(() => lend(addr + 2 * P, a)),
      "EFAULT",
    );
    assert.is(entry(mm, addr + 2 * P), "present");
    using mirror = new Dmirror(mm, { deviceMemory: P });
    assert.is(mirror.exclusive(shared, 1).ret, -EOPNOTSUPP);
    assert.is(mirror.exclusive(addr + 2 * P, 1).ret, -EFAULT);
    assert.is(mirror.exclusive(addr + 3 * P, 1).ret, 0);
    assert.is(gpu.faults, 0);
  };
};

scenario(
  "E76 device-exclusive access: what is refused, which mirrors are told, and what stays",
  exclusive("7.3"),
  { linux: "7.3" },
);
part("E76 the same under 6.12", exclusive("6.12"), { linux: "6.12" });

scenario("E80 the sums after each step", (world) => {
  const { hmm, memcg, mm, gpu } = world;
  const addr = mm.mmap({ length: 8 * P });
  const sums = (anon: number, shmem: number, charged: number): void => {
    assert.equal([mm.rss.anon, mm.rss.file, mm.rss.shmem, mm.rss.swap], [anon, 0, shmem, 0]);
    assert.is(mm.rss.total, anon + shmem);
    assert.is(memcg.usage, charged);
    checkSums(hmm);
  };
  sums(0, 0, 0);
  mm.load32(addr); // the zero page
  sums(0, 0, 0);
  for (let i = 0; i < 4; i++) mm.store32(addr + i * P, i);
  sums(4, 0, 4);
  assert.is(gpu.toDevice(addr, addr + 6 * P).moved, 6); // two of the six are holes
  sums(6, 0, 6);
  const child = mm.fork();
  sums(6, 0, 6);
  assert.is(child.rss.anon, 6);
  child.store32(addr, 9); // the page comes back and is copied
  sums(6, 0, 7);
  mm.mprotect(addr + P, P, PROT_READ);
  child.munmap(addr + P, 3 * P);
  sums(6, 0, 7);
  assert.is(child.rss.anon, 3);
  child.close();
  sums(6, 0, 6);
  const shared = mm.mmap({ length: 2 * P, flags: MAP_SHARED | MAP_ANONYMOUS, prot: RW });
  mm.store32(shared, 1);
  sums(6, 1, 7);
  {
    using _sem = mm.mmapSem.read();
    using lent = makeDeviceExclusive(mm, addr + 6 * P, 2, gpu);
    assert.is(lent.lent, 2);
    sums(8, 1, 9);
  }
  mm.madvise(addr + 6 * P, P, MADV_DONTNEED);
  sums(7, 1, 8);
  using pin = mm.pin(addr + 2 * P, 1);
  mm.munmap(addr + 2 * P, P);
  sums(6, 1, 8); // no mm counts the pinned page, which is still charged
  pin.close();
  sums(6, 1, 7);
  mm.munmap(shared, 2 * P);
  sums(6, 0, 6);
  mm.munmap(addr, 8 * P);
  sums(0, 0, 0);
  assert.is(hmm.freePages, (hmm.config.systemMemory - hmm.config.hugetlb) / P);
});

scenarios.run("beyond: device memory and sums");
