import * as assert from "uvu/assert";
import { contextOf } from "../../../src/engine/context.ts";
import { HDR_USE_END, HDR_USE_NEXT } from "../../../assembly/abi/header.ts";
import { oldestPages, RecordArray, trackUse, UseLog } from "../../../src/device/replay.ts";
import {
  DeviceTable,
  hmmDevmemAdd,
  migrateVmaSetup,
  PAGE_SIZE,
  type Hmm,
  type HmmDevmem,
  type Mm,
} from "../../../src/index.ts";
import { writeRecord, type Access } from "../../../src/sim/record.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm } from "../../util/driver.ts";

const P = PAGE_SIZE;

/** An mm with `pages` populated pages at `start`, a devmem, and a table of a device for each of `devices`. */
function world(module: WebAssembly.Module, pages: number, devices = 1) {
  const hmm = makeHmm(module);
  const owner = {};
  const devmem = hmmDevmemAdd(hmm, { fault: () => 0 }, owner, 512 * P);
  const mm = hmm.createMm();
  const start = mm.mmap({ length: pages * P });
  mm.populate(start, pages * P);
  const tables = Array.from({ length: devices }, () => new DeviceTable(mm));
  return { hmm, owner, devmem, mm, start, tables };
}

/** Moves pages to the device and maps them in `table`. Returns their frames, counted from its first. */
function move(
  { mm, devmem, owner, tables }: ReturnType<typeof world>,
  start: number,
  pages: number,
  table: DeviceTable = tables[0],
): number[] {
  using _sem = mm.mmapSem.read();
  const vma = mm.findVma(start)!;
  using m = migrateVmaSetup({ vma, start, end: start + pages * P, owner });
  devmem.allocPages(m.src, m.dst);
  assert.is(m.pages(), pages);
  table.mapMigrated(m);
  return [...m.dst].map((word) => (word & 0xffffff) - devmem.pfnFirst);
}

function recordsOf(hmm: Hmm, accesses: readonly Access[]): RecordArray {
  const records = new RecordArray(hmm, accesses.length);
  accesses.forEach((access, i) => writeRecord(records, i, access));
  return records;
}

const load = (address: number, agent = 1, size = 8): Access => ({ kind: "load", address, agent, size });
const store = (address: number, agent = 1): Access => ({ kind: "store", address, agent, size: 8 });

/** The pages of devmem by their use, the oldest first, counted from `start`. */
const byUse = (mm: Mm, devmem: HmmDevmem, start: number): number[] =>
  oldestPages(mm, devmem, 64).map((address) => (address - start) / P);

onEachBuild("replay", (test, module) => {
  test("the log of uses has each access of the device to its own memory, in order", () => {
    const w = world(module, 8);
    const { hmm, mm, start, tables } = w;
    const [a, b] = move(w, start, 2);
    using log = new UseLog(hmm, 64);
    const records = recordsOf(hmm, [
      load(start),
      load(start + 8),
      store(start + P),
      load(start + 3 * P, 0), // the CPU's
      { kind: "modify", address: start, agent: 1, size: 1 },
      load(start + P - 4), // lies on both pages
      load(start + 2 * P), // in RAM, which the device's table does not know
    ]);
    const stop = records.replay(mm, [null, tables[0]], 0, 7, log);
    assert.is(stop.reason, "device-fault");
    assert.is(stop.at, 6);
    assert.equal([...log.subarray(0, log.used)], [2 * a, 2 * a, 2 * b + 1, 2 * a + 1, 2 * a, 2 * b]);
    records.close();
    hmm.verify();
  });

  test("a record that faults at a later page has used nothing, and starts over", () => {
    const w = world(module, 4);
    const { hmm, mm, start, tables } = w;
    const [a] = move(w, start, 1);
    using log = new UseLog(hmm, 64);
    const records = recordsOf(hmm, [load(start), load(start + P - 4)]);
    const stop = records.replay(mm, [null, tables[0]], 0, 2, log);
    assert.equal([stop.reason, stop.at, stop.address], ["device-fault", 1, start + P]);
    assert.equal([...log.subarray(0, log.used)], [2 * a]);
    const [b] = move(w, start + P, 1);
    assert.is(records.replay(mm, [null, tables[0]], 1, 2, log).reason, "done");
    assert.equal([...log.subarray(0, log.used)], [2 * a, 2 * b]);
    records.close();
  });

  test("a full log stops the replay before a record, and no record is cut", () => {
    const w = world(module, 32);
    const { hmm, mm, start, tables } = w;
    const frames = move(w, start, 32);
    using log = new UseLog(hmm, 64);
    const accesses = Array.from({ length: 20 }, (_, i) => load(start + i * P, 1, 3 * P));
    const records = recordsOf(hmm, accesses);
    const uses: number[] = [];
    const at: number[] = [];
    for (let next = 0; next < 20;) {
      const stop = records.replay(mm, [null, tables[0]], next, 20, log);
      uses.push(...log.subarray(0, log.used));
      at.push((next = stop.at));
      assert.is(stop.reason, next < 20 ? "uses" : "done");
    }
    assert.equal(
      uses,
      accesses.flatMap((_, i) => [0, 1, 2].map((j) => 2 * frames[i + j])),
    );
    // A record may write 17 uses. 48 of 64 are written after 16 records, and 17 more have no room.
    assert.equal(at, [16, 20]);
    records.close();
    assert.instance(
      errorOf(() => new UseLog(hmm, 63)),
      RangeError,
    );
  });

  test("each agent goes through its own table, and those beyond the last through the last", () => {
    const w = world(module, 8, 2);
    const { hmm, mm, start, tables } = w;
    move(w, start, 1, tables[0]);
    move(w, start + P, 1, tables[1]);
    const records = recordsOf(hmm, [load(start, 1), load(start + P, 2), load(start + P, 9), load(start, 2)]);
    const stop = records.replay(mm, [null, ...tables], 0, 4);
    assert.equal([stop.reason, stop.at, stop.address], ["device-fault", 3, start]);
    // With the CPU alone, all agents are the CPU, whose fault it is.
    const alone = records.replay(mm, [null], 0, 4);
    assert.equal([alone.reason, alone.at], ["cpu-fault", 0]);
    // The CPU may have a device table, too: what a driver has mapped for it.
    const cpu = recordsOf(hmm, [load(start, 0), load(start + 2 * P, 0)]);
    const other = cpu.replay(mm, [tables[0]], 0, 2);
    assert.equal([other.reason, other.at, other.address], ["cpu-fault", 1, start + 2 * P]);
    for (const tables of [[], new Array<null>(9).fill(null)])
      assert.match(String(errorOf(() => records.replay(mm, tables, 0, 1))), /tables.length/);
    records.close();
    cpu.close();
  });

  test("pages are listed by their last use, however often the log is tidied", () => {
    const w = world(module, 8);
    const { hmm, mm, devmem, start, tables } = w;
    trackUse(hmm);
    move(w, start, 8);
    assert.equal(byUse(mm, devmem, start), [0, 1, 2, 3, 4, 5, 6, 7]);
    // Eight pages in turn: each use is an entry, as the replay keeps back only the last four pages.
    const order = [5, 2, 7, 0, 6, 1, 4, 3];
    const rounds = 4096;
    const records = recordsOf(
      hmm,
      Array.from({ length: 8 * rounds }, (_, i) => load(start + (order[i % 8] ?? 0) * P)),
    );
    const { mem } = contextOf("test", hmm);
    assert.ok(8 * rounds > mem.header(HDR_USE_END)); // so it was tidied
    assert.is(records.replay(mm, [null, tables[0]], 0, 8 * rounds).reason, "done");
    assert.equal(byUse(mm, devmem, start), order);
    assert.ok(mem.header(HDR_USE_NEXT) <= mem.header(HDR_USE_END));
    // A page that leaves the device leaves the list.
    tables[0].clear(start + 7 * P, start + 8 * P);
    mm.munmap(start + 7 * P, P);
    assert.equal(
      byUse(mm, devmem, start),
      order.filter((page) => page !== 7),
    );
    records.close();
    hmm.verify();
  });
}).run();
