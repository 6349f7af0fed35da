import * as assert from "uvu/assert";
import type { HmmError } from "../../../src/index.ts";
import {
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_PRIVATE,
  MREMAP_MAYMOVE,
  PAGE_SIZE,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  type Mm,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm, pattern } from "../../util/driver.ts";

const ANON = MAP_PRIVATE | MAP_ANONYMOUS;

onEachBuild("mm", (test, module) => {
  test("mmap, read, write, munmap", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 4 * PAGE_SIZE - 1 });
    assert.is(addr % PAGE_SIZE, 0);
    assert.is(mm.vmas().length, 1);
    assert.is(mm.findVma(addr)!.npages, 4);
    const bytes = pattern(4);
    mm.write(addr, bytes);
    assert.equal(mm.read(addr, bytes.length), bytes);
    assert.equal(mm.read(addr + 100, 5000), bytes.slice(100, 5100));
    assert.equal(mm.rss, { anon: 4, file: 0, shmem: 0, swap: 0, total: 4 });
    assert.equal(mm.faults, { minor: 4, major: 0, total: 4 });
    mm.munmap(addr, 4 * PAGE_SIZE);
    assert.is(mm.rss.total, 0);
    assert.is(mm.findVma(addr), null);
    hmm.verify();
  });

  test("an access longer than the exchange buffer", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 40 * PAGE_SIZE });
    const bytes = pattern(40, 3);
    mm.write(addr, bytes);
    assert.equal(mm.read(addr, new Uint8Array(bytes.length)), bytes);
  });

  test("failed accesses give the reason, the address and the bytes done", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 2 * PAGE_SIZE });
    mm.mprotect(addr + PAGE_SIZE, PAGE_SIZE, PROT_READ);
    const denied = errorOf(() => mm.write(addr, new Uint8Array(2 * PAGE_SIZE))) as HmmError;
    assert.is(denied.code, "EFAULT");
    assert.match(denied.detail, /^SEGV_ACCERR at 0x/);
    assert.is(denied.address, addr + PAGE_SIZE);
    assert.is(denied.done, PAGE_SIZE);
    mm.write(addr + PAGE_SIZE, Uint8Array.of(1), { force: true });
    assert.is(mm.read(addr + PAGE_SIZE, 1)[0], 1);
    const missing = errorOf(() => mm.read(addr + PAGE_SIZE, 2 * PAGE_SIZE)) as HmmError;
    assert.match(missing.detail, /^SEGV_MAPERR/);
    assert.is(missing.done, PAGE_SIZE);
    assert.is(missing.op, "mm.read");
    hmm.verify();
  });

  test("load32 and store32", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: PAGE_SIZE });
    assert.is(mm.load32(addr), 0);
    mm.store32(addr, 0xdeadbeef);
    mm.store32(addr + 4, -1);
    assert.is(mm.load32(addr), 0xdeadbeef);
    assert.is(mm.load32(addr + 4), 0xffffffff);
    for (const bad of [addr + 1, addr + 0.5, -4, NaN, Infinity, 2 ** 48]) {
      assert.instance(
        errorOf(() => mm.load32(bad)),
        RangeError,
        String(bad),
      );
      assert.instance(
        errorOf(() => mm.store32(bad, 1)),
        RangeError,
        String(bad),
      );
    }
    for (const bad of [1.5, 2 ** 32, -(2 ** 31) - 1, NaN]) {
      assert.instance(
        errorOf(() => mm.store32(addr, bad)),
        RangeError,
        String(bad),
      );
    }
    assert.instance(
      errorOf(() => mm.store32(addr, "1" as unknown as number)),
      TypeError,
    );
    assert.is((errorOf(() => mm.load32(addr + PAGE_SIZE)) as HmmError).code, "EFAULT");
  });

  test("wrong arguments are refused and change nothing", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: PAGE_SIZE });
    const before = hmm.snapshot();
    const calls: [() => unknown, RegExp][] = [
      [() => mm.mmap({ length: 0 }), /mm\.mmap: length must be .*, got 0/],
      [() => mm.mmap({ length: -1 }), /length/],
      [() => mm.mmap({ length: 1.5 }), /length/],
      [() => mm.mmap({ length: "4096" as unknown as number }), /length must be a number, got "4096"/],
      [() => mm.mmap(null as unknown as { length: number }), /args must be an object, got null/],
      [() => mm.mmap({ length: 4096, addr: 5 }), /addr must be a multiple of the page size/],
      [() => mm.munmap(addr + 1, PAGE_SIZE), /mm\.munmap: addr/],
      [() => mm.munmap(addr, 0), /length/],
      [() => mm.mprotect(addr, PAGE_SIZE, 1.5), /prot/],
      [() => mm.madvise(addr, PAGE_SIZE, 1.5), /advice/],
      [() => mm.mremap(addr + 8, PAGE_SIZE, PAGE_SIZE), /addr/],
      [() => mm.read(addr, -1), /length/],
      [() => mm.read(2 ** 48 - 1, 2), /length/],
      [() => mm.write(addr, [1] as unknown as Uint8Array), /bytes must be a Uint8Array, got a Array/],
      [() => mm.pin(addr, 0), /npages/],
      [() => mm.fault(-1), /addr/],
      [() => mm.findVma(NaN), /addr/],
      [() => hmm.createMm({ memcg: {} as never }), /memcg/],
    ];
    for (const [call, message] of calls) {
      const error = errorOf(call)!;
      assert.ok(error instanceof RangeError || error instanceof TypeError, String(error));
      assert.match(error.message, message);
    }
    assert.equal(hmm.snapshot(), before);
  });

  test("the kernel's errors", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 2 * PAGE_SIZE });
    const codes = (call: () => unknown): string => (errorOf(call) as HmmError | undefined)?.code ?? "none";
    assert.is(
      codes(() => mm.mprotect(addr, 8 * PAGE_SIZE, PROT_READ)),
      "ENOMEM",
    );
    assert.is(
      codes(() => mm.madvise(addr, PAGE_SIZE, 999)),
      "EINVAL",
    );
    assert.is(
      codes(() => mm.mremap(addr - 64 * PAGE_SIZE, PAGE_SIZE, 2 * PAGE_SIZE, MREMAP_MAYMOVE)),
      "EFAULT",
    );
    const flags = ANON | MAP_FIXED_NOREPLACE;
    assert.is(
      codes(() => mm.mmap({ addr, length: PAGE_SIZE, flags })),
      "EEXIST",
    );
    hmm.verify();
  });

  test("mremap, MAP_FIXED, mlock, mincore, madvise", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 2 * PAGE_SIZE });
    mm.write(addr, pattern(2));
    const moved = mm.mremap(addr, 2 * PAGE_SIZE, 64 * PAGE_SIZE, MREMAP_MAYMOVE);
    assert.equal(mm.read(moved, 2 * PAGE_SIZE), pattern(2));
    assert.equal(
      [...mm.mincore(moved, 3 * PAGE_SIZE)].map((byte) => byte & 1),
      [1, 1, 0],
    );
    mm.mlock(moved + 2 * PAGE_SIZE, PAGE_SIZE);
    assert.is(mm.mincore(moved, 3 * PAGE_SIZE)[2] & 1, 1);
    mm.munlock(moved, 64 * PAGE_SIZE);
    mm.madvise(moved, 64 * PAGE_SIZE, MADV_DONTNEED);
    assert.is(mm.rss.total, 0);
    mm.mmap({ addr: moved, length: PAGE_SIZE, prot: PROT_NONE, flags: ANON | MAP_FIXED });
    assert.is(mm.findVma(moved)!.prot, PROT_NONE);
    mm.populate(moved + PAGE_SIZE, 4 * PAGE_SIZE);
    assert.is(mm.rss.anon, 4);
    hmm.verify();
  });

  test("fork: copy on write, both ways", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 2 * PAGE_SIZE });
    mm.write(addr, pattern(2));
    const child = mm.fork();
    assert.equal(child.read(addr, 2 * PAGE_SIZE), pattern(2));
    child.write(addr, Uint8Array.of(99));
    mm.write(addr + PAGE_SIZE, Uint8Array.of(88));
    assert.is(mm.read(addr, 1)[0], 0);
    assert.is(child.read(addr + PAGE_SIZE, 1)[0], 1);
    hmm.verify();
    child.close();
    assert.is(mm.read(addr + PAGE_SIZE, 1)[0], 88);
    hmm.verify();
  });

  test("fault returns the kind of fault; translate looks without a fault", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 3 * PAGE_SIZE });
    assert.is(mm.fault(addr), 0);
    assert.is(mm.lookupPte(addr)!.pfn, hmm.zeroPage);
    assert.is(mm.fault(addr, { write: true }), 2);
    assert.is(mm.fault(addr + PAGE_SIZE + 17, { write: true }), 1);
    assert.is(mm.lookupPte(addr + 2 * PAGE_SIZE), null);
    const out = new Uint32Array(3);
    const queries = [addr, addr + PAGE_SIZE + 5, addr + 2 * PAGE_SIZE];
    assert.is(mm.translate(Float64Array.from(queries), out), 2);
    assert.is(out[2], 0);
    assert.is(out[0] & 0x7ffffff, mm.lookupPte(addr)!.pfn);
    using addresses = hmm.addressArray(3);
    using words = hmm.pfnArray(3);
    addresses.set(queries);
    assert.is(mm.translate(addresses, words), 2);
    assert.equal([...words], [...out]);
    assert.instance(
      errorOf(() => mm.translate(Float64Array.of(NaN), out)),
      RangeError,
    );
    assert.is((errorOf(() => mm.fault(addr - PAGE_SIZE)) as HmmError).code, "EFAULT");
  });

  test("pins keep pages in use", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 2 * PAGE_SIZE });
    const pin = mm.pin(addr, 2, { write: true });
    assert.is(pin.npages, 2);
    const free = hmm.freePages;
    mm.munmap(addr, 2 * PAGE_SIZE);
    assert.is(hmm.freePages, free);
    assert.is(
      hmm.pageBytes(pin.pages[0], (bytes) => bytes.length),
      PAGE_SIZE,
    );
    pin.close();
    pin.close();
    assert.is(hmm.freePages, free + 2);
    assert.is((errorOf(() => mm.pin(addr, 1)) as HmmError).code, "EFAULT");
    hmm.verify();
  });

  test("mmapSem: a call that needs the lock and cannot take it throws", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: PAGE_SIZE });
    const code = (call: () => unknown): string => (errorOf(call) as HmmError | undefined)?.code ?? "none";
    const reader = mm.mmapSem.read();
    mm.write(addr, Uint8Array.of(1));
    assert.is(
      code(() => mm.munmap(addr, PAGE_SIZE)),
      "EDEADLK",
    );
    assert.is(
      code(() => mm.fork()),
      "EDEADLK",
    );
    assert.is(
      code(() => mm.close()),
      "EDEADLK",
    );
    reader.close();
    const writer = mm.mmapSem.write("a test");
    assert.is(
      code(() => mm.read(addr, 1)),
      "EDEADLK",
    );
    assert.is(
      code(() => mm.load32(addr)),
      "EDEADLK",
    );
    assert.match(errorOf(() => mm.store32(addr, 1))!.message, /held for write by a test/);
    writer.close();
    assert.is(mm.mmapSem.mode, "free");
    mm.munmap(addr, PAGE_SIZE);
  });

  test("a full table is an error that names the table and changes nothing", () => {
    const hmm = makeHmm(module, { capacities: { mms: 2, vmas: 3, pageTables: 12 } });
    const mm = hmm.createMm();
    hmm.createMm();
    const error = errorOf(() => hmm.createMm()) as HmmError;
    assert.is(error.code, "ENOMEM");
    assert.is(error.errno, 12);
    assert.match(error.detail, /^address spaces \(capacity 2\)/);
    const map = (addr: number): number => mm.mmap({ addr, length: PAGE_SIZE, flags: ANON | MAP_FIXED });
    for (let i = 1; i <= 3; i++) map(i * 2 ** 32);
    assert.match((errorOf(() => map(4 * 2 ** 32)) as HmmError).detail, /^vmas \(capacity 3\)/);
    let failed: HmmError | undefined;
    for (let i = 1; i <= 3; i++)
      failed ??= errorOf(() => mm.write(i * 2 ** 32, Uint8Array.of(1))) as HmmError;
    hmm.verify();
    if (failed !== undefined) assert.match(failed.detail, /page tables \(capacity 12\)/);
    const small = makeHmm(module, { systemMemory: 1 << 16, deviceMemory: 0 });
    const other = small.createMm();
    const addr = other.mmap({ length: 1 << 20 });
    const full = errorOf(() => other.write(addr, new Uint8Array(1 << 20))) as HmmError;
    assert.is(full.code, "ENOMEM");
    assert.match(full.detail, /system memory/);
    assert.ok(full.done! > 0);
    small.verify();
  });

  test("after close", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const free = hmm.freePages;
    const addr = mm.mmap({ length: 4 * PAGE_SIZE, prot: PROT_READ | PROT_WRITE });
    mm.write(addr, pattern(4));
    mm.close();
    mm.close();
    assert.ok(mm.closed);
    assert.is(hmm.freePages, free);
    const calls: ((m: Mm) => unknown)[] = [
      (m) => m.mmap({ length: 1 }),
      (m) => m.read(addr, 1),
      (m) => m.load32(addr),
      (m) => m.fork(),
      (m) => m.vmas(),
      (m) => m.rss,
    ];
    for (const call of calls) assert.match(errorOf(() => call(mm))!.message, /the mm is closed/);
    hmm.verify();
  });
}).run();
