import * as assert from "uvu/assert";
import {
  EDEADLK,
  Hmm,
  DEVICE_PFN_DIRTY,
  HMM_PFN_ORDER_MASK,
  HMM_PFN_WRITE,
  HmmError,
  hmmPfn,
  hmmPfnToMapOrder,
  hmmPfnToPage,
  MADV_POPULATE_WRITE,
  Memcg,
  migratePfn,
  migratePfnToPage,
  PAGE_SIZE,
  type HmmEvents,
} from "../../../src/index.ts";
import { FOLIO_REFS, FOLIO_SIZE } from "../../../assembly/abi/frame.ts";
import { HDR_FOLIOS } from "../../../assembly/abi/header.ts";
import { contextOf } from "../../../src/engine/context.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm, MIB, pattern, rejectionOf, TestGpu } from "../../util/driver.ts";

const P = PAGE_SIZE;

onEachBuild("engine", (test, module) => {
  test("create, createSync and the complete configuration", async () => {
    const hmm = await Hmm.create({ module, systemMemory: 4 * MIB, deviceMemory: 0, eventLog: 64 });
    assert.is(hmm.config.systemMemory, 4 * MIB);
    assert.is(hmm.config.deviceMemory, 0);
    assert.is(hmm.config.backing, "data");
    assert.is(hmm.config.eventLog, 64);
    for (const capacity of Object.values(hmm.config.capacities)) assert.ok(capacity > 0);
    hmm.verify();
    assert.is(Hmm.createSync({ module, systemMemory: MIB }).config.systemMemory, MIB);
    assert.is(Hmm.createSync(hmm.module, { systemMemory: MIB }).config.systemMemory, MIB);
    const other = await Hmm.create({ systemMemory: MIB, deviceMemory: MIB });
    other.createMm().close();
    other.verify();
  });

  test("bad configurations", async () => {
    for (const config of [
      { systemMemory: -1 },
      { systemMemory: 1.5 },
      { deviceMemory: NaN },
      { swap: -4096 },
      { backing: "disk" },
      { eventLog: 100 },
      { capacities: { vmas: 0 } },
      { capacities: { dogs: 1 } },
      { systemMem: 5 },
    ]) {
      assert.instance(
        await rejectionOf(() => Hmm.create(config as never)),
        RangeError,
        JSON.stringify(config),
      );
    }
    for (const config of [null, 5, { module: 5 }, { systemMemory: "1" }]) {
      assert.instance(
        await rejectionOf(() => Hmm.create(config as never)),
        TypeError,
        JSON.stringify(config),
      );
    }
    const huge = (await rejectionOf(() => Hmm.create({ module, systemMemory: 8 * 2 ** 30 }))) as HmmError;
    assert.is(huge.code, "ENOMEM");
  });

  test("metadata: frames without bytes, for more memory than the machine has", () => {
    const hmm = makeHmm(module, { backing: "metadata", systemMemory: 16 * 2 ** 30, deviceMemory: 2 ** 30 });
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm, 2 ** 30);
    const addr = mm.mmap({ length: 64 * MIB });
    mm.madvise(addr, 64 * MIB, MADV_POPULATE_WRITE);
    assert.is(mm.rss.anon, 16384);
    assert.is(gpu.toDevice(addr, addr + 64 * MIB).moved, 16384);
    mm.store32(addr, 7);
    assert.is(mm.load32(addr), 0);
    assert.is(gpu.faults, 1);
    assert.is(
      (errorOf(() => hmm.pageBytes(mm.lookupPte(addr)!.pfn, () => 0)) as HmmError).code,
      "EOPNOTSUPP",
    );
    hmm.verify();
  });

  test("an array goes where there is room for all of it", () => {
    const hmm = makeHmm(module, { arena: 65536 });
    const [first, gap, last] = [16, 16, 16].map((n) => hmm.pfnArray(n));
    const at = gap.byteOffset;
    gap.close();
    using wide = hmm.pfnArray(17);
    assert.ok(wide.byteOffset > last.byteOffset);
    using narrow = hmm.pfnArray(16);
    assert.is(narrow.byteOffset, at);
    wide.fill(1);
    assert.equal([...first, ...last, ...narrow], new Array(48).fill(0));
    hmm.verify();
  });

  test("pfn arrays", () => {
    const hmm = makeHmm(module, { arena: 65536 });
    const array = hmm.pfnArray(5);
    assert.ok(array instanceof Uint32Array);
    assert.equal([...array], [0, 0, 0, 0, 0]);
    array[3] = 0xffffffff;
    assert.is(array.map((word) => word).constructor, Uint32Array);
    assert.is(array.slice(3)[0], 0xffffffff);
    array.close();
    array.close();
    assert.ok(array.closed);
    assert.match(errorOf(() => hmm.copyPages(array, array))!.message, /src is closed/);
    assert.match((errorOf(() => hmm.pfnArray(100000)) as HmmError).detail, /arena/);
    assert.instance(
      errorOf(() => hmm.pfnArray(-1)),
      RangeError,
    );
    for (let i = 0; i < 100; i++) hmm.pfnArray(4000).close();
    hmm.verify();
  });

  test("arrays never overlap, whatever was freed before", () => {
    const hmm = makeHmm(module);
    for (let n = 1; n <= 12; n++) {
      const gap = hmm.pfnArray(6);
      const next = hmm.pfnArray(6);
      gap.close();
      const array = hmm.pfnArray(n);
      array.fill(0xffffffff);
      hmm.verify();
      assert.ok(next.every((word) => word === 0));
      for (const each of [array, next]) each.close();
    }
    hmm.verify();
  });

  test("pages and codecs", () => {
    const hmm = makeHmm(module);
    const page = hmm.allocPage();
    hmm.pageBytes(page, (bytes) => bytes.fill(9));
    const to = hmm.allocPage();
    const src = Uint32Array.of((migratePfn(page) | 0x40000000) >>> 0);
    assert.is(hmm.copyPages(src, Uint32Array.of(migratePfn(to))), 1);
    assert.is(
      hmm.pageBytes(to, (bytes) => bytes[4095]),
      9,
    );
    assert.is(hmm.copyPages(Uint32Array.of(0x40000000), Uint32Array.of(migratePfn(to))), 1);
    assert.is(
      hmm.pageBytes(to, (bytes) => bytes[4095]),
      0,
    );
    assert.instance(
      errorOf(() => hmm.pageGet(0)),
      RangeError,
    );
    assert.instance(
      errorOf(() => hmm.pagePut(2 ** 27)),
      RangeError,
    );
    assert.is(migratePfnToPage(migratePfn(page)), page);
    assert.is(migratePfnToPage(page), 0);
    assert.is(hmmPfnToPage(hmmPfn(page, HMM_PFN_WRITE)), page);
    assert.equal([0, DEVICE_PFN_DIRTY, HMM_PFN_ORDER_MASK].map(hmmPfnToMapOrder), [0, 0, 9]);
    hmm.pageUnlock(page);
    assert.ok(hmm.pageLock(page));
    assert.not(hmm.pageLock(page));
    for (const each of [page, to]) {
      hmm.pageUnlock(each);
      hmm.pagePut(each);
    }
    hmm.verify();
  });

  test("the event log", () => {
    const hmm = makeHmm(module, { eventLog: 8 });
    const mm = hmm.createMm();
    const heard: [string, object][] = [];
    const names = ["fault", "migrate", "invalidate", "mmap", "munmap", "fork", "lost"] as const;
    const stops = names.map((name) =>
      hmm.on(name, (event: HmmEvents[typeof name]) => heard.push([name, event])),
    );
    const addr = mm.mmap({ length: 4 * P });
    mm.write(addr, Uint8Array.of(1));
    const gpu = new TestGpu(mm);
    gpu.toDevice(addr, addr + P);
    const child = mm.fork();
    mm.munmap(addr, 4 * P);
    assert.equal(
      heard.map(([name]) => name),
      ["mmap", "fault", "invalidate", "migrate", "invalidate", "fork", "invalidate", "munmap"],
    );
    assert.equal(heard[0], ["mmap", { mm: mm.id, start: addr, npages: 4 }]);
    assert.equal(heard[3], ["migrate", { mm: mm.id, start: addr, collected: 1, moved: 1 }]);
    assert.equal(heard[5], ["fork", { mm: mm.id, child: child.id }]);
    heard.length = 0;
    const big = mm.mmap({ length: 20 * P });
    mm.populate(big, 20 * P);
    assert.equal(heard[1], ["lost", { count: 12 }]);
    assert.is(heard.filter(([name]) => name === "fault").length, 8);
    stops.forEach((stop) => stop());
    heard.length = 0;
    mm.munmap(big, 20 * P);
    assert.is(heard.length, 0);
    assert.instance(
      errorOf(() => hmm.on("dog" as never, () => undefined)),
      RangeError,
    );
    assert.instance(
      errorOf(() => hmm.on("fault", 5 as never)),
      TypeError,
    );
  });

  test("counters", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 4 * P });
    mm.read(addr, 1);
    mm.write(addr, pattern(2));
    gpu.toDevice(addr, addr + 4 * P);
    mm.read(addr, 1);
    const { faults, ...rest } = hmm.stats;
    assert.is(faults.zero, 1);
    assert.is(faults.cow, 1);
    assert.is(faults.anon, 1);
    assert.is(faults.device, 1);
    assert.equal([rest.pagesToDevice, rest.pagesToSystem, rest.pagesCopied, rest.pagesZeroed], [4, 1, 3, 2]);
  });

  test("failAllocation makes an allocation fail", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 4 * P });
    hmm.failAllocation(2);
    const error = errorOf(() => mm.write(addr, new Uint8Array(4 * P))) as HmmError;
    assert.is(error.code, "ENOMEM");
    assert.match(error.detail, /injected/);
    mm.write(addr, new Uint8Array(4 * P));
    hmm.verify();
  });

  test("memory cgroups", () => {
    const hmm = makeHmm(module);
    const memcg = new Memcg({ limit: 3 });
    assert.is(memcg.usage, 0);
    const mm = hmm.createMm({ memcg });
    const addr = mm.mmap({ length: 8 * P });
    const error = errorOf(() => mm.write(addr, new Uint8Array(8 * P))) as HmmError;
    assert.is(error.code, "ENOMEM");
    assert.match(error.detail, /memory cgroup limit/);
    assert.is(memcg.usage, 3);
    assert.is(memcg.members, 1);
    memcg.limit = Infinity;
    assert.is(memcg.limit, Infinity);
    mm.write(addr, new Uint8Array(8 * P));
    assert.is(memcg.usage, 8);
    assert.is((errorOf(() => memcg.close()) as HmmError).code, "EBUSY");
    assert.instance(
      errorOf(() => makeHmm(module).createMm({ memcg })),
      TypeError,
    );
    mm.close();
    assert.is(memcg.usage, 0);
    memcg.close();
    assert.instance(
      errorOf(() => hmm.createMm({ memcg })),
      TypeError,
    );
    assert.instance(
      errorOf(() => new Memcg({ limit: -1 })),
      RangeError,
    );
    hmm.verify();
  });

  test("close frees everything", () => {
    const hmm = makeHmm(module);
    const free = hmm.freePages;
    const mm = hmm.createMm({ memcg: new Memcg() });
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 8 * P });
    mm.write(addr, pattern(8));
    gpu.toDevice(addr, addr + 4 * P);
    hmm.pfnArray(100);
    hmm.close();
    assert.is(hmm.freePages, free);
    assert.ok(gpu.devmem.removed);
    assert.equal([hmm.mms(), hmm.devmems(), hmm.deviceTables(), hmm.memcgs()], [[], [], [], []]);
    hmm.verify();
  });

  test("errors have code, errno, op and detail", () => {
    const error = new HmmError(EDEADLK, "mm.munmap", "held");
    assert.equal([error.code, error.errno, error.op, error.detail], ["EDEADLK", 35, "mm.munmap", "held"]);
    assert.is(error.message, "mm.munmap: EDEADLK: held");
    assert.is(error.name, "HmmError");
    assert.is(new HmmError(9999, "x", "").message, "x: E9999");
  });

  test("verify finds a reference without a holder", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: PAGE_SIZE });
    mm.store32(addr, 1);
    const { mem } = contextOf("test", hmm);
    const folio = mem.header(HDR_FOLIOS) + mm.lookupPte(addr)!.pfn * FOLIO_SIZE;
    const references = mem.u32(folio + FOLIO_REFS);
    for (const wrong of [references + 1, references - 1]) {
      mem.setU32(folio + FOLIO_REFS, wrong);
      assert.is((errorOf(() => hmm.verify()) as HmmError).code, "EINVARIANT");
      mem.setU32(folio + FOLIO_REFS, references);
      hmm.verify();
    }
  });
}).run();
