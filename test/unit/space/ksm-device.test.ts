/** KSM pages with devices and pins. */
import * as assert from "uvu/assert";
import {
  Hmm,
  hmmDevmemAdd,
  MADV_MERGEABLE,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateVmaSetup,
  PAGE_SIZE,
  type HmmDevmem,
  type HmmDevmemOps,
} from "../../../src/index.ts";
import { Dmirror, DmirrorDevice } from "../../../src/dmirror.ts";
import { onEachBuild } from "../../util/builds.ts";
import { byteAt, filled, mergeable } from "./ksm.ts";

const MIB = 1 << 20;

onEachBuild("ksm: devices", (test, module) => {
  const engine = (): Hmm => Hmm.createSync(module, { systemMemory: 8 * MIB, deviceMemory: 4 * MIB });

  test("a merged page comes back once, even if its driver brings several of its addresses back", () => {
    const hmm = engine();
    const mm = hmm.createMm();
    const addr = mergeable(mm, 7, 7, 7);
    assert.equal(hmm.ksmScan(2), { pagesShared: 1, pagesSharing: 2 });
    const owner = {};
    const ops: HmmDevmemOps = {
      fault: (_devmem, vma, _address, page) => {
        const select = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
        const { start, end } = vma;
        using m = migrateVmaSetup({ vma, start, end, owner, select, faultPage: page });
        assert.equal([m.cpages, m.src.filter((word) => word !== 0).length], [1, 1]);
        hmm.allocPages(m.src, m.dst);
        hmm.copyPages(m.src, m.dst);
        assert.is(m.pages(), 1);
        return 0;
      },
    };
    const devmem: HmmDevmem = hmmDevmemAdd(hmm, ops, owner, 2 * MIB);
    {
      using _sem = mm.mmapSem.read();
      const vma = mm.findVma(addr);
      const end = addr + 3 * PAGE_SIZE;
      using m = migrateVmaSetup({ vma, start: addr, end, owner, select: MIGRATE_VMA_SELECT_SYSTEM });
      devmem.allocPages(m.src, m.dst);
      hmm.copyPages(m.src, m.dst);
      assert.is(m.pages(), 1);
    }
    assert.is(devmem.usedPages, 1);
    mm.write(addr + PAGE_SIZE, filled(8));
    assert.equal(
      [0, 1, 2].map((i) => byteAt(mm, addr + i * PAGE_SIZE)),
      [7, 8, 7],
    );
    assert.is(devmem.usedPages, 0);
    hmm.verify();
  });

  test("a merged page that only a pin keeps is merged with identical pages", () => {
    const hmm = engine();
    const device = new DmirrorDevice(hmm, { memory: 2 * MIB });
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 3 * PAGE_SIZE });
    // Pages that came back from a device are clean, and after a fork not exclusive: only pins hold them.
    assert.is(new Dmirror(mm, { device }).migrateToDevice(addr, 3).ret, 0);
    const pin = mm.pin(addr, 3);
    mm.fork().close();
    mm.madvise(addr, 3 * PAGE_SIZE, MADV_MERGEABLE);
    // 0 is a copy now and cannot be protected: 1, merged in vain, is copied; 2 gets the page of 1.
    const written = mm.pin(addr, 1, { write: true });
    assert.equal(hmm.ksmScan(2), { pagesShared: 1, pagesSharing: 0 });
    assert.is(mm.lookupPte(addr + 2 * PAGE_SIZE)!.pfn, pin.pages[1]);
    hmm.verify();
    written.close();
    pin.close();
    hmm.verify();
    mm.close();
    assert.equal(hmm.ksmScan(0), { pagesShared: 0, pagesSharing: 0 });
  });
}).run();
