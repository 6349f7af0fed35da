import * as assert from "uvu/assert";
import type { HmmError } from "../../../src/index.ts";
import {
  DEVICE_PFN_DIRTY,
  DeviceTable,
  HMM_PFN_ERROR,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  hmmPfn,
  hmmPfnToMapOrder,
  hmmPfnToPage,
  hmmPfnValid,
  hmmPfnWritable,
  PAGE_SIZE,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm, pattern } from "../../util/driver.ts";

const P = PAGE_SIZE;

onEachBuild("device-table", (test, module) => {
  test("map, lookup, snapshot, protect, clear", () => {
    const hmm = makeHmm(module);
    const table = new DeviceTable(hmm);
    const pages = Array.from({ length: 3 }, () => hmm.allocPage());
    const words = Uint32Array.of(
      hmmPfn(pages[0]),
      0,
      hmmPfn(pages[1], HMM_PFN_WRITE),
      hmmPfn(pages[2], HMM_PFN_WRITE),
    );
    assert.is(table.map(0x200000, words, 3), 2);
    assert.is(table.entries, 2);
    assert.is(table.map(0x200000 + 3 * P, words.subarray(3)), 1);
    assert.is(table.lookup(0x200000 + 5), words[0]);
    assert.is(table.lookup(0x200000 + P), 0);
    assert.equal(table.snapshot(0x200000, 4), words);
    using out = hmm.pfnArray(4);
    assert.is(table.snapshot(0x200000, 4, out), out);
    assert.equal([...out], [...words]);
    assert.is(table.protect(0x200000, 0x200000 + 3 * P), 1);
    assert.is(table.lookup(0x200000 + 2 * P), (HMM_PFN_VALID | pages[1]) >>> 0);
    assert.is(table.clear(0x200000, 0x200000 + 2 * P), 1);
    assert.is(table.clear(0, 2 ** 48), 2);
    assert.is(table.entries, 0);
    for (const page of pages) {
      hmm.pageUnlock(page);
      hmm.pagePut(page);
    }
    table.close();
    table.close();
    assert.instance(
      errorOf(() => table.lookup(0)),
      TypeError,
    );
    hmm.verify();
  });

  test("accesses stop at the first missing entry", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const table = new DeviceTable(mm);
    const addr = mm.mmap({ length: 40 * P });
    mm.write(addr, pattern(40));
    const entry = (page: number, flags: number): number => hmmPfn(mm.lookupPte(addr + page * P)!.pfn, flags);
    const words = Uint32Array.from({ length: 39 }, (_, i) => entry(i, i === 38 ? 0 : HMM_PFN_WRITE));
    table.map(addr, words);
    const bytes = new Uint8Array(40 * P);
    assert.is(table.read(addr + 10, bytes), 39 * P - 10);
    assert.equal(bytes.subarray(0, 39 * P - 10), pattern(40).subarray(10, 39 * P));
    assert.is(table.write(addr + P, new Uint8Array(39 * P).fill(3)), 37 * P);
    assert.is(mm.read(addr + 2 * P, 1)[0], 3);
    assert.is(mm.read(addr + 38 * P, 1)[0], 38);
    hmm.verify();
    assert.ok(mm.lookupPte(addr) !== null && hmmPfnToPage(table.lookup(addr)) === mm.lookupPte(addr)!.pfn);
  });

  test("an entry that the device wrote through is dirty, and still names its page", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const table = new DeviceTable(mm);
    const addr = mm.mmap({ length: 2 * P });
    mm.write(addr, pattern(2));
    const pages = [0, 1].map((page) => mm.lookupPte(addr + page * P)!.pfn);
    table.map(
      addr,
      Uint32Array.from(pages, (page) => hmmPfn(page, HMM_PFN_WRITE)),
    );
    table.write(addr, new Uint8Array(8));
    const entries = [...table.snapshot(addr, 2)];
    assert.equal(
      entries.map((entry) => (entry & DEVICE_PFN_DIRTY) !== 0),
      [true, false],
    );
    assert.equal(entries.map(hmmPfnToPage), pages);
    for (const entry of entries) {
      assert.is(entry & HMM_PFN_ERROR, 0);
      assert.ok(hmmPfnValid(entry) && hmmPfnWritable(entry));
      assert.is(hmmPfnToMapOrder(entry), 0);
    }
  });

  test("verify() compares a device table with the CPU's table", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 2 * P });
    mm.write(addr, pattern(2));
    const table = new DeviceTable(mm);
    table.map(addr, Uint32Array.of(hmmPfn(mm.lookupPte(addr + P)!.pfn)));
    const error = errorOf(() => hmm.verify()) as HmmError;
    assert.is(error.code, "EINVARIANT");
    assert.match(error.detail, /the device has page \d+ and the CPU \d+/);
    assert.match(error.detail, /page \d+: refcount 1, mapcount 1/);
    assert.match(error.detail, /mm 1, 1 mapping/);
    table.clear(addr, addr + P);
    hmm.verify();
  });

  test("bad arguments, exhaustion", () => {
    const hmm = makeHmm(module, { capacities: { deviceTables: 1 } });
    const table = new DeviceTable(hmm);
    assert.match((errorOf(() => new DeviceTable(hmm)) as HmmError).detail, /device tables \(capacity 1\)/);
    assert.instance(
      errorOf(() => new DeviceTable({} as never)),
      TypeError,
    );
    assert.instance(
      errorOf(() => table.map(5, new Uint32Array(1))),
      RangeError,
    );
    assert.instance(
      errorOf(() => table.map(0, new Uint32Array(1), 2)),
      RangeError,
    );
    assert.instance(
      errorOf(() => table.map(0, [1] as never)),
      TypeError,
    );
    assert.instance(
      errorOf(() => table.clear(P, P)),
      RangeError,
    );
    assert.instance(
      errorOf(() => table.mapMigrated({} as never)),
      TypeError,
    );
    assert.is((errorOf(() => table.map(0, Uint32Array.of(hmmPfn(0x7ffffff)))) as HmmError).code, "EINVAL");
    assert.instance(
      errorOf(() => table.read(0, "x" as never)),
      TypeError,
    );
  });

  test("translateBatch: words of many addresses, and what the device's accesses leave in the entries", () => {
    const hmm = makeHmm(module);
    const table = new DeviceTable(hmm);
    const [a, b] = [hmm.allocPage(), hmm.allocPage()];
    table.map(0x200000, Uint32Array.of(hmmPfn(a), hmmPfn(b, HMM_PFN_WRITE)));
    const addresses = Float64Array.of(0x200000 + P + 5, 0x1000, 0x200000, 2 ** 47);
    const out = new Uint32Array(4);
    const writable = (HMM_PFN_VALID | HMM_PFN_WRITE | b) >>> 0;
    assert.is(table.translateBatch(addresses, out), 2);
    assert.equal([...out], [writable, 0, (HMM_PFN_VALID | a) >>> 0, 0]);
    assert.equal([...table.accessed(0x200000, 3)], [0, 0, 0]);
    assert.is(table.translateBatch(addresses.subarray(2), out, { access: "read" }), 1);
    assert.equal([...table.accessed(0x200000, 3)], [1, 0, 0]);
    // A write needs the right to write, and makes entries dirty.
    using mine = hmm.addressArray(4);
    mine.set(addresses);
    using words = hmm.pfnArray(4);
    assert.is(table.translateBatch(mine, words, { access: "write" }), 1);
    assert.equal([...words], [(writable | DEVICE_PFN_DIRTY) >>> 0, 0, 0, 0]);
    assert.equal([...table.accessed(0x200000, 3)], [1, 1, 0]);
    for (const [bad, where] of [
      [Float64Array.of(0, 2 ** 48), /addresses\[1\] must be an address below 2\^48/],
      [Float64Array.of(NaN), /addresses\[0\]/],
      [[0], /addresses must be/],
    ] as const) {
      assert.match(errorOf(() => table.translateBatch(bad as never, out))!.message, where);
    }
    assert.instance(
      errorOf(() => table.translateBatch(addresses, new Uint32Array(3))),
      RangeError,
    );
    assert.match(
      errorOf(() => table.translateBatch(addresses, out, { access: "execute" } as never))!.message,
      /options\.access must be "read" or "write", got "execute"/,
    );
  });

  test("accessed bits: set by reads and writes, cleared by range, new with each entry", () => {
    const hmm = makeHmm(module);
    const table = new DeviceTable(hmm);
    const pages = Array.from({ length: 3 }, () => hmm.allocPage());
    const words = Uint32Array.from(pages, (page) => hmmPfn(page, HMM_PFN_WRITE));
    table.map(0x200000, words);
    table.read(0x200000 + P - 1, new Uint8Array(2));
    assert.equal([...table.accessed(0x200000, 3)], [1, 1, 0]);
    table.write(0x200000 + 2 * P, Uint8Array.of(1));
    assert.equal([...table.accessed(0x200000, 4)], [1, 1, 1, 0]);
    assert.is(table.clearAccessed(0x200000 + P, 0x200000 + 4 * P), 2);
    assert.equal([...table.accessed(0x200000, 3)], [1, 0, 0]);
    assert.is(table.lookup(0x200000 + 2 * P), (words[2] | DEVICE_PFN_DIRTY) >>> 0);
    table.map(0x200000, words, 1);
    assert.equal([...table.accessed(0x200000, 1)], [0]);
    assert.is(table.clearAccessed(0, 2 ** 48), 0);
    assert.instance(
      errorOf(() => table.accessed(1, 1)),
      RangeError,
    );
    assert.instance(
      errorOf(() => table.clearAccessed(P, 0)),
      RangeError,
    );
  });
}).run();
