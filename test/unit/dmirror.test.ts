import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Dmirror, DmirrorDevice, type DmirrorResult } from "../../src/dmirror.ts";
import * as protection from "../../src/dmirror.ts";
import {
  EFAULT,
  EINVAL,
  ENOENT,
  ENOMEM,
  EPERM,
  FAULT_OOM,
  Hmm,
  HmmError,
  PAGE_SIZE,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  MREMAP_MAYMOVE,
  type Mm,
} from "../../src/index.ts";

// The scenarios of the kernel's HMM self-tests that private anonymous memory and single pages can show, under their
// kernel names, then what is this driver's own. Buffers hold the word i at word i, as there.

const {
  DMIRROR_PROT_ERROR: ERROR,
  DMIRROR_PROT_NONE: NONE,
  DMIRROR_PROT_READ: READ,
  DMIRROR_PROT_WRITE: WRITE,
  DMIRROR_PROT_ZERO: ZERO,
  DMIRROR_PROT_DEV_PRIVATE_LOCAL: LOCAL,
} = protection;

const N = 96;
const BYTES = N * PAGE_SIZE;
const RW = PROT_READ | PROT_WRITE;

interface Fixture {
  hmm: Hmm;
  mm: Mm;
  devices: [DmirrorDevice, DmirrorDevice];
  /** Mirrors of mm on the two devices. */
  mirrors: [Dmirror, Dmirror];
}

const test = suite("dmirror");

/** Two devices and a process that has both open; verifies at the end, and that nothing is left over. */
function scenario(name: string, body: (fixture: Fixture) => void): void {
  test(name, () => {
    const hmm = Hmm.createSync({ systemMemory: 8 << 20, deviceMemory: 12 << 20 });
    const free = hmm.freePages;
    const devices: [DmirrorDevice, DmirrorDevice] = [
      new DmirrorDevice(hmm, { memory: 4 << 20 }),
      new DmirrorDevice(hmm, { memory: 4 << 20 }),
    ];
    const mm = hmm.createMm();
    const mirrors: [Dmirror, Dmirror] = [
      new Dmirror(mm, { device: devices[0] }),
      new Dmirror(mm, { device: devices[1] }),
    ];
    body({ hmm, mm, devices, mirrors });
    hmm.verify();
    for (const each of hmm.mms()) each.close();
    for (const mirror of mirrors) mirror.close();
    for (const device of devices) assert.is(device.devmem.usedPages, 0, "device pages are left in use");
    assert.is(hmm.freePages, free, "system pages are left in use");
    for (const device of devices) device.close();
    hmm.verify();
  });
}

/** The bytes of n pages whose word i is f(i). */
function words(npages: number, f: (i: number) => number = (i) => i): Uint8Array {
  const array = Uint32Array.from({ length: (npages * PAGE_SIZE) / 4 }, (_, i) => f(i));
  return new Uint8Array(array.buffer);
}

/** A new mapping whose word i is i. */
function buffer(mm: Mm, npages = N): number {
  const addr = mm.mmap({ length: npages * PAGE_SIZE });
  mm.write(addr, words(npages));
  return addr;
}

function same(got: Uint8Array | undefined, expected: Uint8Array, what = "bytes differ"): void {
  assert.ok(got !== undefined && Buffer.compare(got, expected) === 0, what);
}

function result({ ret, cpages, faults }: DmirrorResult): [ret: number, cpages: number, faults: number] {
  return [ret, cpages, faults];
}

function snapshot(mirror: Dmirror, addr: number, npages: number): number[] {
  const { ret, cpages, data } = mirror.snapshot(addr, npages);
  assert.equal([ret, cpages], [0, npages]);
  return [...data!];
}

// ── The kernel's scenarios ────────────────────────────────────────────────────────────────────────────────

scenario("open_close", ({ mm, devices }) => {
  const mirror = new Dmirror(mm, { device: devices[0] });
  mirror.close();
  mirror.close();
});

scenario("anon_read", ({ mm, mirrors: [mirror] }) => {
  const addr = mm.mmap({ length: BYTES });
  mm.write(addr + 2 * PAGE_SIZE, words(N).subarray(2 * PAGE_SIZE));
  mm.mprotect(addr, BYTES, PROT_READ);
  mm.load32(addr + PAGE_SIZE); // the zero page
  const answer = mirror.read(addr, N);
  assert.equal(result(answer), [0, N, 1]);
  same(answer.data!.subarray(0, 2 * PAGE_SIZE), new Uint8Array(2 * PAGE_SIZE));
  same(answer.data!.subarray(2 * PAGE_SIZE), words(N).subarray(2 * PAGE_SIZE));
});

scenario("anon_read_prot", ({ mm, mirrors: [mirror] }) => {
  const addr = buffer(mm);
  mm.mprotect(addr, BYTES, PROT_NONE);
  const answer = mirror.read(addr, N);
  assert.equal(result(answer), [-EFAULT, 0, 0]);
  assert.is(answer.data, undefined);
  mm.mprotect(addr, BYTES, PROT_READ);
  same(mm.read(addr, BYTES), words(N));
});

scenario("anon_write", ({ mm, mirrors: [mirror] }) => {
  const addr = mm.mmap({ length: BYTES });
  assert.equal(result(mirror.write(addr, words(N))), [0, N, 1]);
  same(mm.read(addr, BYTES), words(N));
});

scenario("anon_write_prot", ({ mm, mirrors: [mirror] }) => {
  const addr = mm.mmap({ length: BYTES, prot: PROT_READ });
  assert.equal(result(mirror.read(addr, 1)), [0, 1, 1]);
  assert.equal(result(mirror.write(addr, words(N))), [-EPERM, 0, 0]);
  same(mm.read(addr, BYTES), new Uint8Array(BYTES));
  mm.mprotect(addr, BYTES, RW);
  assert.equal(result(mirror.write(addr, words(N))), [0, N, 1]);
  same(mm.read(addr, BYTES), words(N));
});

for (const migrated of [false, true]) {
  scenario(
    `anon_write_child, ${migrated ? "migrated first" : "not migrated"}`,
    ({ mm, devices, mirrors: [mirror] }) => {
      const addr = buffer(mm);
      if (migrated) assert.equal(result(mirror.migrateToDevice(addr, N)), [0, N, 0]);
      using child = mm.fork();
      using own = new Dmirror(child, { device: devices[0] });
      // Unlike the kernel's test, the child does not read first: the pages are on the device, read-only in both.
      assert.equal(
        result(
          own.write(
            addr,
            words(N, (i) => -i),
          ),
        ),
        [0, N, 1],
      );
      same(
        child.read(addr, BYTES),
        words(N, (i) => -i),
      );
      same(mm.read(addr, BYTES), words(N), "the parent sees what the child wrote");
    },
  );
}

scenario("migrate", ({ mm, devices: [device], mirrors: [mirror] }) => {
  const addr = buffer(mm);
  const { rss } = mm;
  const answer = mirror.migrateToDevice(addr, N);
  assert.equal(result(answer), [0, N, 0]);
  same(answer.data, words(N));
  assert.is(device.devmem.usedPages, N);
  assert.equal(mm.rss, rss, "device pages count");
});

scenario("migrate_fault", ({ mm, devices: [device], mirrors: [mirror] }) => {
  const addr = buffer(mm);
  assert.equal(result(mirror.migrateToDevice(addr, N)), [0, N, 0]);
  same(mm.read(addr, BYTES / 2), words(N / 2));
  assert.is(device.devmem.usedPages, N / 2);
  const again = mirror.migrateToDevice(addr, N);
  assert.equal(result(again), [0, N, 0]);
  same(again.data, words(N));
});

scenario("migrate_release", ({ mm, devices: [device], mirrors: [mirror] }) => {
  const addr = buffer(mm);
  mirror.migrateToDevice(addr, N);
  assert.equal(result(mirror.release()), [0, N, 0]);
  assert.is(device.devmem.usedPages, 0);
  assert.is(mirror.entries, 0);
  const { device: before } = mm.hmm.stats.faults;
  same(mm.read(addr, BYTES), words(N));
  assert.is(mm.hmm.stats.faults.device, before, "nothing had to come back");
});

scenario("migrate_mixed", ({ mm, mirrors: [first, second] }) => {
  const addr = mm.mmap({ length: 6 * PAGE_SIZE, prot: PROT_NONE });
  const page = (i: number): number => addr + i * PAGE_SIZE;
  assert.equal(result(second.migrateToDevice(addr, 6)), [-EINVAL, 0, 0]);
  mm.munmap(page(1), PAGE_SIZE);
  assert.equal(result(second.migrateToDevice(addr, 3)), [-EINVAL, 0, 0]);
  mm.mprotect(page(2), PAGE_SIZE, PROT_READ);
  mm.load32(page(2));
  mm.mprotect(page(3), 3 * PAGE_SIZE, RW);
  for (const i of [3, 4, 5]) mm.store32(page(i), i);
  mm.mprotect(page(3), PAGE_SIZE, PROT_READ);
  assert.equal(result(second.migrateToDevice(page(2), 4)), [0, 4, 0]);
  assert.equal(result(first.migrateToDevice(page(5), 1)), [-ENOENT, 0, 0], "it belongs to the other device");
});

scenario("migrate_multiple", ({ mm, devices: [device], mirrors: [mirror] }) => {
  for (let i = 0; i < 10; i++) {
    const addr = buffer(mm);
    const answer = mirror.migrateToDevice(addr, N);
    assert.equal(result(answer), [0, N, 0]);
    same(answer.data, words(N));
    same(mm.read(addr, BYTES), words(N));
    mm.munmap(addr, BYTES);
    assert.is(device.devmem.usedPages, 0);
  }
});

scenario("anon_read_multiple", ({ mm, mirrors: [mirror] }) => {
  for (let c = 0; c < 10; c++) {
    const addr = mm.mmap({ length: BYTES });
    mm.write(
      addr,
      words(N, (i) => i + c),
    );
    const answer = mirror.read(addr, N);
    assert.equal(result(answer), [0, N, 1]);
    same(
      answer.data,
      words(N, (i) => i + c),
    );
    mm.munmap(addr, BYTES);
    assert.is(mirror.entries, 0);
  }
});

scenario("snapshot", ({ mm, mirrors: [first, second] }) => {
  const addr = mm.mmap({ length: 7 * PAGE_SIZE, prot: PROT_NONE });
  const page = (i: number): number => addr + i * PAGE_SIZE;
  mm.munmap(page(1), PAGE_SIZE);
  mm.mprotect(page(2), PAGE_SIZE, PROT_READ);
  mm.load32(page(2));
  mm.mprotect(page(3), 4 * PAGE_SIZE, RW);
  for (const i of [3, 4, 5, 6]) mm.store32(page(i), i);
  mm.mprotect(page(3), PAGE_SIZE, PROT_READ);
  first.migrateToDevice(page(5), 1);
  second.migrateToDevice(page(6), 1);
  assert.equal(snapshot(first, addr, 7), [ERROR, ERROR, ZERO | READ, READ, WRITE, LOCAL | WRITE, NONE]);
  assert.equal(snapshot(second, addr, 7), [ERROR, ERROR, ZERO | READ, READ, WRITE, NONE, LOCAL | WRITE]);
});

scenario("double_map", ({ mm, mirrors: [first, second] }) => {
  const addr = buffer(mm, 6);
  mm.mprotect(addr, 6 * PAGE_SIZE, PROT_READ);
  for (const mirror of [first, second]) {
    const answer = mirror.read(addr, 6);
    assert.equal(result(answer), [0, 6, 1]);
    same(answer.data, words(6));
  }
  assert.equal(result(second.migrateToDevice(addr, 6)), [0, 6, 0]);
  const pulled = first.read(addr, 6);
  assert.equal(result(pulled), [0, 6, 1]);
  same(pulled.data, words(6));
  assert.is(second.device.devmem.usedPages, 0, "the first device's read pulled them off the second");
});

scenario("hmm_gup_test", ({ mm, mirrors: [mirror] }) => {
  const addr = buffer(mm, 4);
  mirror.migrateToDevice(addr, 4);
  using pin = mm.pin(addr, 4);
  assert.is(pin.npages, 4);
  assert.equal(snapshot(mirror, addr, 4), [WRITE, WRITE, WRITE, WRITE]);
  assert.equal(result(mirror.migrateToDevice(addr, 4)), [-ENOENT, 0, 0], "pinned pages stay");
  same(mm.read(addr, 4 * PAGE_SIZE), words(4));
});

scenario("hmm_cow_in_device", ({ mm, mirrors: [mirror] }) => {
  const addr = buffer(mm, 4);
  mirror.migrateToDevice(addr, 4);
  const child = mm.fork();
  mm.write(
    addr,
    words(4, (i) => i + 1),
  );
  child.close();
  assert.equal(snapshot(mirror, addr, 4), [WRITE, WRITE, WRITE, WRITE]);
});

for (const offset of [0, N / 3, (2 * N) / 3]) {
  scenario(`migrate_partial_unmap_fault at ${offset}`, ({ mm, devices: [device], mirrors: [mirror] }) => {
    const addr = buffer(mm);
    const hole = N / 3;
    mirror.migrateToDevice(addr, N);
    mm.munmap(addr + offset * PAGE_SIZE, hole * PAGE_SIZE);
    assert.is(device.devmem.usedPages, N - hole);
    for (let i = 0; i < N; i++) {
      if (i >= offset && i < offset + hole) continue;
      assert.is(mm.load32(addr + i * PAGE_SIZE), (i * PAGE_SIZE) / 4);
    }
  });
}

scenario("migrate_remap_fault", ({ mm, devices: [device], mirrors: [mirror] }) => {
  const addr = buffer(mm);
  mirror.migrateToDevice(addr, N);
  mm.mmap({ addr: addr + BYTES, length: PAGE_SIZE, prot: PROT_NONE }); // no room to grow in place
  const moved = mm.mremap(addr, BYTES, 2 * BYTES, MREMAP_MAYMOVE);
  assert.is.not(moved, addr);
  assert.is(device.devmem.usedPages, N, "pages move as they are");
  const answer = mirror.read(moved, N);
  assert.is(answer.ret, 0);
  same(answer.data, words(N));
  same(mm.read(moved, BYTES), words(N));
  assert.is(device.devmem.usedPages, 0);
});

// ── This driver's own ─────────────────────────────────────────────────────────────────────────────────────

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

scenario("an invalidation drops the entries of its range and no other", ({ mm, mirrors: [mirror] }) => {
  const addr = buffer(mm, 8);
  mirror.read(addr, 8);
  assert.is(mirror.entries, 8);
  mm.mprotect(addr + 2 * PAGE_SIZE, 2 * PAGE_SIZE, PROT_READ);
  assert.is(mirror.entries, 6);
  assert.equal(result(mirror.read(addr, 2)), [0, 2, 0], "what is mapped needs no fault");
  assert.equal(result(mirror.read(addr, 8)), [0, 8, 1]);
});

scenario("a write that fails in the middle has written what comes before", ({ mm, mirrors: [mirror] }) => {
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

scenario(
  "migrateToSystem moves this device's pages and leaves holes alone",
  ({ mm, mirrors: [first, second] }) => {
    const addr = mm.mmap({ length: 6 * PAGE_SIZE });
    mm.write(addr, words(4));
    first.migrateToDevice(addr, 2);
    second.migrateToDevice(addr + 2 * PAGE_SIZE, 1);
    assert.equal(result(first.migrateToSystem(addr, 6)), [0, 2, 0]);
    assert.equal(snapshot(first, addr, 6), [WRITE, WRITE, NONE, WRITE, NONE, NONE]);
    assert.is(mm.rss.anon, 4);
    assert.is(second.device.devmem.usedPages, 1);
  },
);

scenario("memory that runs out: what fits has migrated", ({ hmm, mm }) => {
  const big = mm.mmap({ length: 600 * PAGE_SIZE });
  mm.write(big, words(600));
  using hog = new Dmirror(mm, { deviceMemory: 2 << 20 });
  const answer = hog.migrateToDevice(big, 600);
  assert.is(answer.ret, -ENOENT);
  assert.is(answer.cpages, hog.device.devmem.npages);
  same(hog.read(big, 600).data, words(600));
  hmm.verify();
});

scenario("failNextAlloc: to the device a page stays", ({ mm, mirrors: [mirror] }) => {
  const addr = buffer(mm, 4);
  mirror.failNextAlloc();
  assert.equal(result(mirror.migrateToDevice(addr, 4)), [-ENOENT, 0, 0]);
  assert.equal(snapshot(mirror, addr, 4), [WRITE, LOCAL | WRITE, LOCAL | WRITE, LOCAL | WRITE]);
  assert.equal(result(mirror.migrateToDevice(addr, 4)), [0, 4, 0], "once");
});

scenario("failNextAlloc: to system memory it is ENOMEM, and nothing is lost", ({ mm, mirrors: [mirror] }) => {
  const addr = buffer(mm, 4);
  mirror.migrateToDevice(addr, 4);
  mirror.failNextAlloc();
  assert.equal(result(mirror.migrateToSystem(addr, 4)), [-ENOMEM, 3, 0]);
  mirror.failNextAlloc();
  assert.throws(
    () => mm.load32(addr),
    (error: unknown) => error instanceof HmmError && error.code === "ENOMEM" && error.faultCode === FAULT_OOM,
  );
  same(mm.read(addr, 4 * PAGE_SIZE), words(4));
});

scenario(
  "two mirrors of one mm on one device never disagree",
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

scenario("pieces are an option, and change nothing but the events", ({ hmm, mm, devices: [device] }) => {
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
  "the address space goes: commands answer EFAULT, the device lives on",
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

scenario("a device of its own goes with its mirror, its pages come back", ({ mm }) => {
  const addr = buffer(mm, 4);
  const mirror = new Dmirror(mm, { deviceMemory: 2 << 20 });
  assert.equal(result(mirror.migrateToDevice(addr, 4)), [0, 4, 0]);
  mirror.close();
  assert.ok(mirror.device.devmem.removed);
  same(mm.read(addr, 4 * PAGE_SIZE), words(4));
});

test.run();
