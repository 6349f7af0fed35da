import * as assert from "uvu/assert";
import type { HmmError } from "../../../src/index.ts";
import {
  hmmDevmemAdd,
  HMM_PFN_REQ_FAULT,
  hmmRangeFaultAsync,
  migrateVmaSetup,
  PAGE_SIZE,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  type HmmDevmem,
  type Mm,
  type Vma,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { makeHmm, MIB, pattern, rejectionOf, TestGpu } from "../../util/driver.ts";

const P = PAGE_SIZE;
const later = (ms = 1): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A device whose copies finish later. */
class SlowGpu {
  readonly mm: Mm;
  readonly devmem: HmmDevmem;
  calls: number[] = [];
  running = 0;
  fail: (() => number) | null = null;

  constructor(mm: Mm) {
    this.mm = mm;
    this.devmem = hmmDevmemAdd(
      mm.hmm,
      {
        fault: () => VM_FAULT_SIGBUS,
        faultAsync: (_devmem, vma, address) => this.back(vma, address),
      },
      this,
      4 * MIB,
    );
  }

  async back(vma: Vma, address: number): Promise<number> {
    this.calls.push(address);
    this.running++;
    await later();
    if (this.fail !== null) return this.fail();
    const { hmm } = this.mm;
    using m = migrateVmaSetup({ vma, start: address, end: address + P, owner: this, select: 2 });
    hmm.allocPages(m.src, m.dst);
    await later(2);
    hmm.copyPages(m.src, m.dst);
    this.running--;
    return m.pages() === 1 ? 0 : VM_FAULT_SIGBUS;
  }

  async toDevice(start: number, end: number, ms = 1): Promise<number> {
    using _sem = await this.mm.mmapSem.readAsync("toDevice");
    using m = migrateVmaSetup({ vma: this.mm.findVma(start), start, end, owner: this });
    this.devmem.allocPages(m.src, m.dst);
    await later(ms);
    this.mm.hmm.copyPages(m.src, m.dst);
    return m.pages();
  }
}

onEachBuild("async", (test, module) => {
  test("accesses wait for open migrations and call faultAsync", async () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new SlowGpu(mm);
    const addr = mm.mmap({ length: 8 * P });
    mm.write(addr, pattern(8));
    const moving = gpu.toDevice(addr + 2 * P, addr + 5 * P);
    await Promise.resolve();
    assert.is(hmm.migrations().length, 1);
    const read = mm.readAsync(addr, 8 * P);
    const write = mm.writeAsync(addr + 6 * P, Uint8Array.of(1, 2, 3));
    assert.is(await moving, 3);
    await write;
    const bytes = await read;
    const expected = pattern(8);
    expected.set([1, 2, 3], 6 * P);
    assert.equal(bytes, expected);
    assert.equal(gpu.calls, [addr + 2 * P, addr + 3 * P, addr + 4 * P]);
    assert.is(gpu.devmem.usedPages, 0);
    assert.is(mm.mmapSem.mode, "free");
    hmm.verify();
  });

  test("many accesses wait for one page: the driver is called once", async () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new SlowGpu(mm);
    const addr = mm.mmap({ length: P });
    mm.write(addr, pattern(1));
    await gpu.toDevice(addr, addr + P);
    const all = await Promise.all(Array.from({ length: 16 }, (_, i) => mm.readAsync(addr + i, 1)));
    assert.equal(
      all.map(([byte]) => byte),
      Array.from({ length: 16 }, (_, i) => i),
    );
    assert.equal(gpu.calls, [addr]);
    hmm.verify();
  });

  test("a write to a device page of two processes", async () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 2 * P });
    mm.write(addr, pattern(2));
    const child = mm.fork();
    const gpu = new SlowGpu(mm);
    await gpu.toDevice(addr, addr + 2 * P);
    await Promise.all([
      child.writeAsync(addr, new Uint8Array(2 * P).fill(5)),
      mm.faultAsync(addr, { write: true }),
    ]);
    assert.equal(await mm.readAsync(addr, 2 * P), pattern(2));
    assert.is((await child.readAsync(addr + P, 1))[0], 5);
    hmm.verify();
  });

  test("failures of faultAsync: answer, exception, loop", async () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new SlowGpu(mm);
    const addr = mm.mmap({ length: P });
    mm.write(addr, pattern(1));
    await gpu.toDevice(addr, addr + P);
    const outcome = async (): Promise<HmmError> =>
      (await rejectionOf(() => mm.readAsync(addr, 4))) as HmmError;
    gpu.fail = () => VM_FAULT_SIGBUS;
    assert.match(
      (await outcome()).detail,
      /^SIGBUS at .*: the faultAsync callback of \w+ answered VM_FAULT_SIGBUS$/,
    );
    gpu.fail = () => VM_FAULT_OOM;
    assert.match((await outcome()).detail, /^the faultAsync callback of \w+ answered VM_FAULT_OOM, at 0x/);
    const cause = new Error("link down");
    gpu.fail = () => {
      throw cause;
    };
    assert.is((await outcome()).cause, cause);
    assert.match((await outcome()).detail, /: the faultAsync callback of \w+ threw Error: link down$/);
    gpu.fail = () => 0;
    assert.is((await outcome()).code, "ELOOP");
    assert.is(mm.mmapSem.mode, "free");
    gpu.fail = null;
    assert.is(await mm.faultAsync(addr), 8);
    assert.is(mm.read(addr, 2)[1], 1);
    hmm.verify();
  });

  test("munmap and close while an access waits", async () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new SlowGpu(mm);
    const addr = mm.mmap({ length: 2 * P });
    mm.write(addr, pattern(2));
    const waiting = async (what: () => Promise<unknown>, then: () => void): Promise<Error | undefined> => {
      const sem = mm.mmapSem.read();
      const m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: mm.findVma(addr)!.end });
      const outcome = rejectionOf(what);
      await later();
      m.finalize();
      sem.close();
      then();
      return outcome;
    };
    const error = (await waiting(
      () => mm.readAsync(addr, 2 * P),
      () => mm.munmap(addr + P, P),
    )) as HmmError;
    assert.is(error.code, "EFAULT");
    assert.is(error.done, P);
    await gpu.toDevice(addr, addr + P);
    assert.is(gpu.devmem.usedPages, 1);
    await mm.readAsync(addr, 1);
    const late = waiting(
      () => mm.readAsync(addr, 1),
      () => mm.close(),
    );
    assert.match((await late)!.message, /closed/);
    hmm.verify();
  });

  test("hmmRangeFaultAsync waits for the migration's end", async () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: 2 * P });
    mm.write(addr, pattern(2));
    using _sem = mm.mmapSem.read();
    const m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + P, owner: gpu });
    const pfns = new Uint32Array(2);
    const answer = hmmRangeFaultAsync({
      mm,
      start: addr,
      end: addr + 2 * P,
      pfns,
      defaultFlags: HMM_PFN_REQ_FAULT,
      owner: gpu,
    });
    gpu.devmem.allocPages(m.src, m.dst);
    hmm.copyPages(m.src, m.dst);
    m.pages();
    m.finalize();
    assert.is(await answer, 0);
    assert.ok(hmm.isDevicePage(pfns[0] & 0x7ffffff));
  });

  test("a driver without faultAsync gets a synchronous fault", async () => {
    const mm = makeHmm(module).createMm();
    const gpu = new TestGpu(mm);
    const addr = mm.mmap({ length: P });
    mm.write(addr, pattern(1));
    gpu.toDevice(addr, addr + P);
    assert.equal(await mm.readAsync(addr, P), pattern(1));
    assert.is(gpu.faults, 1);
  });
}).run();
