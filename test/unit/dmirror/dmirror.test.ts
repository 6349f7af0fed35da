import * as assert from "uvu/assert";
import {
  Dmirror,
  DMIRROR_PROT_NONE as NONE,
  DMIRROR_PROT_READ as READ,
  DMIRROR_PROT_WRITE as WRITE,
  DMIRROR_PROT_DEV_PRIVATE_LOCAL as LOCAL,
} from "../../../src/dmirror.ts";
import {
  EBUSY,
  EFAULT,
  EINVAL,
  ENOENT,
  ENOMEM,
  EPERM,
  FAULT_OOM,
  HmmError,
  PAGE_SIZE,
  PROT_READ,
} from "../../../src/index.ts";
import {
  buffer,
  BYTES,
  type Fixture,
  N,
  result,
  same,
  Scenarios,
  snapshot,
  words,
} from "../../util/dmirror-fixture.ts";

const scenarios = new Scenarios();
const scenario = scenarios.add;

scenario(
  "arguments: page aligned, at least one page, inside the address space",
  ({ mm, mirrors: [mirror] }) => {
    const addr = buffer(mm, 2);
    for (const command of [
      (at: number, n: number) => mirror.read(at, n),
      (at: number, n: number) => mirror.write(at, new Uint8Array(Math.max(0, n) * PAGE_SIZE)),
      (at: number, n: number) => mirror.migrateToDevice(at, n),
      (at: number, n: number) => mirror.migrateToSystem(at, n),
      (at: number, n: number) => mirror.snapshot(at, n),
      (at: number, n: number) => mirror.exclusive(at, n),
      (at: number, n: number) => mirror.checkExclusive(at, n),
    ]) {
      assert.equal(result(command(addr, 0)), [-EINVAL, 0, 0]);
      assert.equal(result(command(addr + 8, 1)), [-EINVAL, 0, 0]);
      assert.equal(result(command(2 ** 48 - PAGE_SIZE, 2)), [-EINVAL, 0, 0]);
    }
    assert.equal(result(mirror.write(addr, new Uint8Array(100))), [-EINVAL, 0, 0]);
    mirror.close();
    assert.throws(() => mirror.read(addr, 1), /dmirror\.read: the mirror is closed/);
  },
);

scenario("an invalidation drops exactly the entries of its range", ({ mm, mirrors: [mirror] }) => {
  const addr = buffer(mm, 8);
  mirror.read(addr, 8);
  assert.is(mirror.entries, 8);
  mm.mprotect(addr + 2 * PAGE_SIZE, 2 * PAGE_SIZE, PROT_READ);
  assert.is(mirror.entries, 6);
  assert.equal(result(mirror.read(addr, 2)), [0, 2, 0], "what is mapped needs no fault");
  assert.equal(result(mirror.read(addr, 8)), [0, 8, 1]);
});

scenario("a write that fails in the middle has written the bytes before", ({ mm, mirrors: [mirror] }) => {
  const addr = buffer(mm, 4);
  mirror.write(addr, words(2));
  mm.mprotect(addr + 2 * PAGE_SIZE, 2 * PAGE_SIZE, PROT_READ);
  const ones = new Uint8Array(4 * PAGE_SIZE).fill(1);
  assert.equal(result(mirror.write(addr, ones)), [-EPERM, 2, 0]);
  same(mm.read(addr, 2 * PAGE_SIZE), ones.subarray(0, 2 * PAGE_SIZE));
  same(mm.read(addr + 2 * PAGE_SIZE, 2 * PAGE_SIZE), words(4).subarray(2 * PAGE_SIZE));
});

scenario(
  "a device write to its own read-only page brings it back and copies it",
  ({ mm, devices, mirrors: [mirror] }) => {
    const addr = buffer(mm, 4);
    mirror.migrateToDevice(addr, 4);
    using child = mm.fork();
    assert.equal(snapshot(mirror, addr, 4), [LOCAL | READ, LOCAL | READ, LOCAL | READ, LOCAL | READ]);
    assert.is(
      mirror.write(
        addr + PAGE_SIZE,
        words(1, () => 7),
      ).ret,
      0,
    );
    assert.is(mm.load32(addr + PAGE_SIZE), 7);
    assert.is(child.load32(addr + PAGE_SIZE), PAGE_SIZE / 4);
    assert.is(devices[0].devmem.usedPages, 3);
  },
);

scenario("migrateToSystem moves this device's pages and leaves holes", ({ mm, mirrors: [first, second] }) => {
  const addr = mm.mmap({ length: 6 * PAGE_SIZE });
  mm.write(addr, words(4));
  first.migrateToDevice(addr, 2);
  second.migrateToDevice(addr + 2 * PAGE_SIZE, 1);
  assert.equal(result(first.migrateToSystem(addr, 6)), [0, 2, 0]);
  assert.equal(snapshot(first, addr, 6), [WRITE, WRITE, NONE, WRITE, NONE, NONE]);
  assert.is(mm.rss.anon, 4);
  assert.is(second.device.devmem.usedPages, 1);
});

scenario("when memory runs out, the pages that fit have migrated", ({ hmm, mm }) => {
  const big = mm.mmap({ length: 600 * PAGE_SIZE });
  mm.write(big, words(600));
  using hog = new Dmirror(mm, { deviceMemory: 2 << 20 });
  const answer = hog.migrateToDevice(big, 600);
  assert.is(answer.ret, -ENOENT);
  assert.is(answer.cpages, hog.device.devmem.npages);
  same(hog.read(big, 600).data, words(600));
  hmm.verify();
});

scenario("failNextAlloc: a page that should move to the device stays", ({ mm, mirrors: [mirror] }) => {
  const addr = buffer(mm, 4);
  mirror.failNextAlloc();
  assert.equal(result(mirror.migrateToDevice(addr, 4)), [-ENOENT, 0, 0]);
  assert.equal(snapshot(mirror, addr, 4), [WRITE, LOCAL | WRITE, LOCAL | WRITE, LOCAL | WRITE]);
  assert.equal(result(mirror.migrateToDevice(addr, 4)), [0, 4, 0], "once");
});

scenario(
  "failNextAlloc: migration to system memory is ENOMEM, and nothing is lost",
  ({ mm, mirrors: [mirror] }) => {
    const addr = buffer(mm, 4);
    mirror.migrateToDevice(addr, 4);
    mirror.failNextAlloc();
    assert.equal(result(mirror.migrateToSystem(addr, 4)), [-ENOMEM, 3, 0]);
    mirror.failNextAlloc();
    assert.throws(
      () => mm.load32(addr),
      (error: unknown) =>
        error instanceof HmmError && error.code === "ENOMEM" && error.faultCode === FAULT_OOM,
    );
    same(mm.read(addr, 4 * PAGE_SIZE), words(4));
  },
);

scenario(
  "two mirrors of one mm on one device always agree",
  ({ hmm, mm, devices: [device], mirrors: [one] }) => {
    using two = new Dmirror(mm, { device });
    const addr = buffer(mm, 8);
    one.read(addr, 8);
    two.read(addr, 8);
    one.migrateToDevice(addr, 4);
    hmm.verify();
    same(two.read(addr, 8).data, words(8));
    two.migrateToSystem(addr, 2);
    hmm.verify();
    mm.load32(addr + 3 * PAGE_SIZE);
    hmm.verify();
    two.write(
      addr,
      words(8, (i) => 2 * i),
    );
    same(
      one.read(addr, 8).data,
      words(8, (i) => 2 * i),
    );
  },
);

scenario(
  "exclusive access: the device writes without a fault until the CPU touches the page",
  ({ hmm, mm, mirrors: [first, second] }) => {
    const addr = buffer(mm, 4);
    second.read(addr, 4);
    assert.equal(result(first.exclusive(addr, 4)), [0, 4, 0]);
    assert.is(second.entries, 0, "it is the first one's alone");
    assert.equal(snapshot(first, addr, 4), [NONE, NONE, NONE, NONE]);
    hmm.verify();
    assert.equal(
      result(
        first.write(
          addr,
          words(4, () => 5),
        ),
      ),
      [0, 4, 0],
    );
    assert.is(mm.load32(addr + PAGE_SIZE), 5);
    assert.equal(result(first.checkExclusive(addr + PAGE_SIZE, 1)), [0, 0, 0]);
    assert.equal(result(first.checkExclusive(addr, 2)), [-EPERM, 0, 0]);
    assert.equal(result(second.exclusive(addr, 1)), [0, 1, 0]);
    assert.equal(result(first.checkExclusive(addr, 1)), [0, 0, 0], "the second one has it now");
  },
);

for (const linux of ["6.12", "7.3"] as const) {
  const lock = ({ hmm, mm, mirrors: [mirror] }: Fixture): void => {
    const addr = buffer(mm, 1);
    const { pfn } = mm.lookupPte(addr)!;
    hmm.pageLock(pfn);
    const lend = (): number => mirror.exclusive(addr, 1).ret;
    if (linux === "6.12") assert.is(lend(), -EBUSY);
    else assert.throws(lend, (error: HmmError) => error.code === "EAGAIN");
    hmm.pageUnlock(pfn);
    assert.is(lend(), 0);
  };
  scenario(`exclusive access of a locked page: an error, or 7.3 would wait, ${linux}`, lock, { linux });
}

scenario("exclusive access fails at a page that cannot be lent", ({ mm, mirrors: [mirror] }) => {
  const addr = buffer(mm, 4);
  mm.mprotect(addr + 2 * PAGE_SIZE, PAGE_SIZE, PROT_READ);
  assert.equal(result(mirror.exclusive(addr, 4)), [-EFAULT, 0, 0]);
  assert.equal(result(mirror.checkExclusive(addr + PAGE_SIZE, 1)), [-EPERM, 0, 0], "those before are lent");
  assert.is(mirror.entries, 2);
});

scenario("the size of pieces changes only the events", ({ hmm, mm, devices: [device] }) => {
  using mirror = new Dmirror(mm, { device, faultPages: 5, migratePages: 7 });
  const addr = buffer(mm);
  const events: number[] = [];
  const stop = hmm.on("migrate", ({ collected }) => events.push(collected));
  assert.equal(result(mirror.migrateToDevice(addr, N)), [0, N, 0]);
  stop();
  assert.equal(events, [...new Array<number>(Math.floor(N / 7)).fill(7), N % 7]);
  assert.equal(
    result(
      mirror.write(
        addr,
        words(N, (i) => i + 1),
      ),
    ),
    [0, N, 0],
  );
  same(
    mm.read(addr, BYTES),
    words(N, (i) => i + 1),
  );
});

scenario(
  "after the address space ends, commands answer EFAULT and the device still works",
  ({ hmm, devices: [device] }) => {
    const mm = hmm.createMm();
    const mirror = new Dmirror(mm, { device });
    const addr = buffer(mm, 4);
    mirror.migrateToDevice(addr, 4);
    mm.close();
    assert.is(device.devmem.usedPages, 0);
    assert.equal(result(mirror.read(addr, 4)), [-EFAULT, 0, 0]);
    assert.equal(result(mirror.snapshot(addr, 4)), [-EFAULT, 0, 0]);
    assert.is(mirror.entries, 0);
    mirror.close();
  },
);

scenario("a mirror's own device closes with the mirror, and its pages come back", ({ mm }) => {
  const addr = buffer(mm, 4);
  const mirror = new Dmirror(mm, { deviceMemory: 2 << 20 });
  assert.equal(result(mirror.migrateToDevice(addr, 4)), [0, 4, 0]);
  mirror.close();
  assert.ok(mirror.device.devmem.removed);
  same(mm.read(addr, 4 * PAGE_SIZE), words(4));
});

scenarios.run("dmirror");
