/**
 * The scenarios of the kernel's HMM self-tests that need only single pages, under their kernel names, each
 * with device-private and with device-coherent memory. hmm-tests-huge.ts has the others. As in the
 * kernel's tests, word i of a buffer holds i.
 */
import * as assert from "uvu/assert";
import {
  Dmirror,
  DMIRROR_PROT_ERROR as ERROR,
  DMIRROR_PROT_NONE as NONE,
  DMIRROR_PROT_READ as READ,
  DMIRROR_PROT_WRITE as WRITE,
  DMIRROR_PROT_ZERO as ZERO,
  DMIRROR_PROT_DEV_COHERENT_LOCAL as COHERENT_LOCAL,
  DMIRROR_PROT_DEV_COHERENT_REMOTE as COHERENT_REMOTE,
  DMIRROR_PROT_DEV_PRIVATE_LOCAL as LOCAL,
} from "../../src/dmirror.ts";
import {
  EFAULT,
  EINVAL,
  ENOENT,
  EPERM,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  PAGE_SIZE,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  type Hmm,
} from "../../src/index.ts";
import { explore, type Agent } from "../../src/testing.ts";
import { buffer, BYTES, N, result, same, Scenarios, snapshot, words } from "../util/dmirror-fixture.ts";

const RW = PROT_READ | PROT_WRITE;

const scenarios = new Scenarios();
const scenario = scenarios.add;

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

scenario("anon_write_child_shared", ({ mm, devices, mirrors: [mirror] }) => {
  const addr = mm.mmap({ length: BYTES, flags: MAP_SHARED | MAP_ANONYMOUS });
  mm.write(addr, words(N));
  assert.is(mirror.read(addr, N).ret, 0);
  using child = mm.fork();
  using own = new Dmirror(child, { device: devices[0] });
  const negative = words(N, (i) => -i);
  assert.equal(result(own.write(addr, negative)), [0, N, 1]);
  same(child.read(addr, BYTES), negative);
  same(mm.read(addr, BYTES), negative, "the parent does not see what the child wrote");
});

scenario("file_read", ({ hmm, mm, mirrors: [mirror] }) => {
  using file = hmm.createFile();
  file.write(0, words(N));
  const addr = mm.mmap({ file, length: BYTES, prot: PROT_READ });
  const answer = mirror.read(addr, N);
  assert.equal(result(answer), [0, N, 1]);
  same(answer.data, words(N));
});

scenario("file_write", ({ hmm, mm, mirrors: [mirror] }) => {
  using file = hmm.createFile({ bytes: BYTES });
  const addr = mm.mmap({ file, length: BYTES });
  assert.equal(result(mirror.write(addr, words(N))), [0, N, 1]);
  same(mm.read(addr, BYTES), words(N));
  same(file.read(0, BYTES), words(N));
});

scenario("migrate", ({ mm, devices: [device], mirrors: [mirror] }) => {
  const addr = buffer(mm);
  const { rss } = mm;
  const answer = mirror.migrateToDevice(addr, N);
  assert.equal(result(answer), [0, N, 0]);
  same(answer.data, words(N));
  assert.is(device.devmem.usedPages, N);
  assert.equal(mm.rss, rss, "device pages count");
});

scenario("migrate_fault", ({ mm, devices: [device], mirrors: [mirror], coherent }) => {
  const addr = buffer(mm);
  assert.equal(result(mirror.migrateToDevice(addr, N)), [0, N, 0]);
  same(mm.read(addr, BYTES / 2), words(N / 2));
  assert.is(device.devmem.usedPages, coherent ? N : N / 2, "a CPU reaches coherent memory where it is");
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

scenario("migrate_shared", ({ mm, mirrors: [mirror] }) => {
  const addr = mm.mmap({ length: BYTES, flags: MAP_SHARED | MAP_ANONYMOUS });
  assert.equal(result(mirror.migrateToDevice(addr, N)), [-ENOENT, 0, 0]);
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

scenario("migrate_multiple", ({ mm, devices: [device], mirrors: [mirror], coherent }) => {
  for (let i = 0; i < 10; i++) {
    const addr = buffer(mm);
    const answer = mirror.migrateToDevice(addr, N);
    assert.equal(result(answer), [0, N, 0]);
    same(answer.data, words(N));
    if (coherent) assert.equal(result(mirror.migrateToSystem(addr, N)), [0, N, 0]);
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

/** Pages that the device reads at once; the lock is free between two pieces. */
const PIECE = 4;

/** What the processes of anon_teardown use: a buffer whose word i is i + c, and a mirror. */
function teardownWorld(hmm: Hmm, c: number) {
  const mm = hmm.createMm();
  const mirror = new Dmirror(mm, { deviceMemory: 2 << 20, faultPages: PIECE });
  const addr = mm.mmap({ length: 4 * PIECE * PAGE_SIZE });
  mm.write(
    addr,
    words(4 * PIECE, (i) => i + c),
  );
  return { mm, mirror, addr, torn: false };
}
type TeardownWorld = ReturnType<typeof teardownWorld>;

const unmapper: Agent<TeardownWorld> = function* (w) {
  yield "unmap the upper half";
  w.mm.munmap(w.addr + 2 * PIECE * PAGE_SIZE, 2 * PIECE * PAGE_SIZE);
  w.torn = true;
};

scenario("anon_teardown", ({ hmm }) => {
  for (let c = 0; c < 10; c++) {
    const data = words(4 * PIECE, (i) => i + c);
    const seen = new Set<string>();
    const reader: Agent<TeardownWorld> = function* (w) {
      for (let piece = 0; piece < 4; piece++) {
        yield `read piece ${piece}`;
        const at = piece * PIECE * PAGE_SIZE;
        const answer = w.mirror.read(w.addr + at, PIECE);
        const gone = w.torn && piece >= 2;
        assert.equal(result(answer), gone ? [-EFAULT, 0, 0] : [0, PIECE, 1]);
        if (!gone) same(answer.data, data.subarray(at, at + PIECE * PAGE_SIZE));
        if (piece >= 2) seen.add(`${piece} ${gone ? "gone" : "read"}`);
      }
    };
    const options = { setup: (fresh: Hmm) => teardownWorld(fresh, c), config: { module: hmm.module } };
    const { complete } = explore({ reader, unmapper }, { ...options, state: ({ torn }) => torn });
    assert.ok(complete);
    assert.equal([...seen].sort(), ["2 gone", "2 read", "3 gone", "3 read"]);
  }
});

scenario("mixedmap", ({ mm, mirrors: [mirror] }) => {
  const addr = mm.mmapSpecial("mixed", { length: PAGE_SIZE, flags: MAP_PRIVATE });
  assert.equal(snapshot(mirror, addr, 1), [READ]);
});

scenario("snapshot", ({ mm, mirrors: [first, second], coherent }) => {
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
  const system = [ERROR, ERROR, ZERO | READ, READ, WRITE];
  const own = (coherent ? COHERENT_LOCAL : LOCAL) | WRITE;
  const others = coherent ? COHERENT_REMOTE | WRITE : NONE;
  assert.equal(snapshot(first, addr, 7), [...system, own, others]);
  assert.equal(snapshot(second, addr, 7), [...system, others, own]);
});

scenario("double_map", ({ mm, mirrors: [first, second], coherent }) => {
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
  // The first device's read brings private pages back from the second device and reads coherent pages there.
  assert.is(second.device.devmem.usedPages, coherent ? 6 : 0);
});

scenario("exclusive", ({ mm, mirrors: [mirror] }) => {
  const addr = buffer(mm);
  const answer = mirror.exclusive(addr, N);
  assert.equal(result(answer), [0, N, 0]);
  same(answer.data, words(N));
  assert.equal(result(mirror.checkExclusive(addr, N)), [-EPERM, 0, 0]);
  same(mm.read(addr, BYTES), words(N));
  mm.write(
    addr,
    words(N, (i) => i + 1),
  );
  same(
    mm.read(addr, BYTES),
    words(N, (i) => i + 1),
  );
  assert.equal(result(mirror.checkExclusive(addr, N)), [0, 0, 0]);
});

scenario("exclusive_mprotect", ({ mm, mirrors: [mirror] }) => {
  const addr = buffer(mm);
  assert.equal(result(mirror.exclusive(addr, N)), [0, N, 0]);
  mm.mprotect(addr, BYTES, PROT_READ);
  assert.is(mirror.write(addr, words(N)).ret, -EPERM);
});

scenario("exclusive_cow", ({ mm, mirrors: [mirror] }) => {
  const addr = buffer(mm);
  assert.equal(result(mirror.exclusive(addr, N)), [0, N, 0]);
  using child = mm.fork();
  for (const each of [mm, child]) {
    same(each.read(addr, BYTES), words(N));
    each.write(
      addr,
      words(N, (i) => i + 1),
    );
    same(
      each.read(addr, BYTES),
      words(N, (i) => i + 1),
    );
  }
});

scenario("hmm_gup_test", ({ mm, devices: [device], mirrors: [mirror], coherent }) => {
  const addr = buffer(mm, 4);
  mirror.migrateToDevice(addr, 4);
  using pin = mm.pin(addr, 2);
  using longTerm = mm.pin(addr + 2 * PAGE_SIZE, 2, { longTerm: true });
  assert.equal([pin.npages, longTerm.npages], [2, 2]);
  const first = coherent ? COHERENT_LOCAL | WRITE : WRITE;
  assert.equal(snapshot(mirror, addr, 4), [first, first, WRITE, WRITE]);
  assert.is(device.devmem.usedPages, coherent ? 2 : 0);
  const rest = addr + 2 * PAGE_SIZE;
  assert.equal(result(mirror.migrateToDevice(rest, 2)), [-ENOENT, 0, 0], "pinned pages stay");
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

scenarios.run("hmm-tests", [false, true]);
