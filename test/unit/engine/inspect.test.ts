import { inspect } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  DeviceTable,
  Hmm,
  hmmDevmemAdd,
  HmmMirror,
  hmmMirrorRegister,
  HmmRange,
  hmmVmaGetPfns,
  hmmVmaRangeDone,
  makeDeviceExclusive,
  Memcg,
  migrateVmaSetup,
  MmuIntervalNotifier,
  PAGE_SIZE,
} from "../../../src/index.ts";

const test = suite("inspect");

/** What console.log writes, which is one line of a useful length. */
function shown(object: object): string {
  const text = inspect(object);
  assert.not.match(text, /\n/);
  assert.ok(text.length < 150, text);
  return text;
}

test("objects are one line in console.log, while they are open and afterwards", () => {
  const hmm = Hmm.createSync({ systemMemory: 4 << 20, deviceMemory: 4 << 20 });
  const memcg = new Memcg({ limit: 50 });
  const mm = hmm.createMm({ memcg });
  const addr = mm.mmap({ length: 3 * PAGE_SIZE, addr: 0x100000 });
  mm.write(addr, new Uint8Array(2 * PAGE_SIZE).fill(1));
  const owner = {};
  const devmem = hmmDevmemAdd(hmm, { fault: () => 2 }, owner, 2 << 20);
  const table = new DeviceTable(mm);
  const notifier = new MmuIntervalNotifier(mm, addr, PAGE_SIZE, { invalidate: () => undefined });
  const mirror = new HmmMirror({ update: () => undefined });
  const file = hmm.createFile({ size: 5000, kind: "shmem" });
  const pin = mm.pin(addr, 1);
  const vma = mm.findVma(addr)!;

  assert.is(shown(mm), `Mm ${mm.id} { 1 mapping, rss 2 pages (anon 2) }`);
  assert.is(shown(vma), `Vma { 0x100000-0x103000, 3 pages, prot 3, flags 0x100073, mm ${mm.id} }`);
  assert.is(shown(memcg), "Memcg { 2 of 50 pages charged, 1 address space }");
  assert.is(shown(table), `DeviceTable ${table.id} { mm ${mm.id}, 0 entries }`);
  assert.is(
    shown(devmem),
    `HmmDevmem "devmem1" { pages ${devmem.pfnFirst}-${devmem.pfnEnd}, 0 of 512 used }`,
  );
  assert.is(shown(notifier), `MmuIntervalNotifier "notifier1" { mm ${mm.id}, 0x100000-0x101000 }`);
  assert.is(shown(mirror), 'HmmMirror "" (not registered)');
  hmmMirrorRegister(mirror, mm);
  assert.is(shown(mirror), `HmmMirror "mirror1" { mm ${mm.id} }`);
  assert.is(shown(file), `HmmFile ${file.id} { shmem, 5000 bytes, 0 pages cached }`);
  assert.is(shown(pin), "Pin { 1 page }");
  assert.is(shown(mm.mmapSem), "MmapSem (free)");
  assert.match(
    shown(hmm),
    /^Hmm \{ \d+ pages of system memory \(\d+ free\), \d+ of device memory, 1 address space/,
  );
  pin.close();
  assert.is(shown(pin), "Pin (closed)");

  const sem = mm.mmapSem.read("a test");
  assert.match(shown(mm), /mmapSem held for read by a test \}$/);
  const range = new HmmRange();
  assert.is(shown(range), "HmmRange (not tracked)");
  hmmVmaGetPfns(vma, range, addr, addr + PAGE_SIZE, new Uint32Array(1));
  assert.is(shown(range), `HmmRange { mm ${mm.id}, 0x100000-0x101000, valid }`);
  hmmVmaRangeDone(vma, range);
  const m = migrateVmaSetup({ vma, start: addr, end: addr + 3 * PAGE_SIZE, owner });
  const what = `Migration ${m.id} { mm ${mm.id}, 0x100000-0x103000, 3 pages, 3 candidates`;
  assert.is(shown(m), `${what}, set up }`);
  assert.match(shown(hmm), /1 open migration \}$/);
  m.dst[0] = (0x80000000 | devmem.allocPage()) >>> 0;
  m.pages();
  assert.is(shown(m), `${what}, pages() done, 1 moved, 2 stayed }`);
  m.finalize();
  assert.is(shown(m), `${what}, finalized, 1 moved, 2 stayed }`);
  const exclusive = makeDeviceExclusive(mm, addr + PAGE_SIZE, 1, owner);
  assert.is(shown(exclusive), "ExclusivePages { 1 of 1 page exclusive }");
  exclusive.close();
  sem.close();

  mm.close();
  table.close();
  file.close();
  memcg.close();
  devmem.close();
  assert.is(shown(mm), `Mm ${mm.id} (closed)`);
  assert.is(shown(vma), "Vma (stale)");
  assert.is(shown(table), `DeviceTable ${table.id} (closed)`);
  assert.is(shown(notifier), 'MmuIntervalNotifier "notifier1" (closed)');
  assert.is(shown(file), `HmmFile ${file.id} (closed)`);
  assert.is(shown(memcg), "Memcg (closed)");
  assert.is(shown(devmem), 'HmmDevmem "devmem1" (removed)');
  assert.is(shown(exclusive), "ExclusivePages (closed)");
  hmm.verify();
});
test.run();
