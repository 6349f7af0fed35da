import * as assert from "uvu/assert";
import {
  DMIRROR_PROT_DEV_PRIVATE_LOCAL as LOCAL,
  DMIRROR_PROT_NONE as NONE,
  DMIRROR_PROT_READ as READ,
  DMIRROR_PROT_WRITE as WRITE,
} from "../../../src/dmirror.ts";
import {
  EFAULT,
  ENOENT,
  EOPNOTSUPP,
  EPERM,
  type Hmm,
  type HmmFile,
  MAP_PRIVATE,
  migrateVmaSetup,
  PAGE_SIZE,
  PROT_READ,
  REASON_FILE_PAGE as FILE,
} from "../../../src/index.ts";
import { result, same, Scenarios, snapshot, words } from "../../util/dmirror-fixture.ts";

const scenarios = new Scenarios();
const scenario = scenarios.add;

function filled(hmm: Hmm, npages: number): HmmFile {
  const file = hmm.createFile();
  file.write(0, words(npages));
  return file;
}

scenario(
  "the device reads and writes shared pages, which are the file's own",
  ({ hmm, mm, mirrors: [mirror] }) => {
    using file = filled(hmm, 4);
    const addr = mm.mmap({ file, length: 4 * PAGE_SIZE });
    const answer = mirror.read(addr, 4);
    assert.equal(result(answer), [0, 4, 1]);
    same(answer.data, words(4));
    assert.equal(snapshot(mirror, addr, 4), [READ, READ, READ, READ]);
    const new4 = words(4, (i) => i + 1);
    assert.equal(result(mirror.write(addr, new4)), [0, 4, 1]);
    assert.equal(snapshot(mirror, addr, 4), [WRITE, WRITE, WRITE, WRITE]);
    same(file.read(0, 4 * PAGE_SIZE), new4);
    mm.msync(addr, 4 * PAGE_SIZE);
    assert.is(mirror.entries, 0, "what is written back may not be written unseen");
    hmm.verify();
  },
);

scenario("file pages do not migrate, their private copies do", ({ hmm, mm, devices, mirrors: [mirror] }) => {
  using file = filled(hmm, 4);
  const shared = mm.mmap({ file, length: 4 * PAGE_SIZE });
  const copy = mm.mmap({ file, length: 4 * PAGE_SIZE, flags: MAP_PRIVATE });
  mm.read(shared, 3 * PAGE_SIZE);
  mm.store32(shared, 7);
  mm.read(copy, 4 * PAGE_SIZE);
  mm.store32(copy + PAGE_SIZE, 8);
  {
    using _sem = mm.mmapSem.read();
    const end = shared + 4 * PAGE_SIZE;
    using m = migrateVmaSetup({ vma: mm.findVma(shared), start: shared, end, owner: devices[0] });
    devices[0].devmem.allocPages(m.src, m.dst);
    assert.is(m.pages(), 0);
    assert.equal([...m.reasons], [FILE, FILE, FILE, FILE]);
  }
  hmm.verify();
  assert.equal(result(mirror.migrateToDevice(shared, 4)), [-ENOENT, 0, 0]);
  assert.equal(result(mirror.migrateToDevice(copy, 4)), [-ENOENT, 0, 0]);
  assert.equal(snapshot(mirror, copy, 4), [READ, LOCAL | WRITE, READ, READ]);
  hmm.verify();
  file.truncate(0);
  assert.is(devices[0].devmem.usedPages, 0, "they go with their file's end");
  assert.equal(result(mirror.read(copy, 1)), [-EFAULT, 0, 0]);
});

scenario("punching a hole in the file drops the device's entries", ({ hmm, mm, mirrors: [mirror] }) => {
  using file = filled(hmm, 4);
  const addr = mm.mmap({ file, length: 4 * PAGE_SIZE });
  mirror.read(addr, 4);
  file.punchHole(PAGE_SIZE, PAGE_SIZE);
  assert.is(mirror.entries, 3);
  same(mirror.read(addr + PAGE_SIZE, 1).data, new Uint8Array(PAGE_SIZE));
  assert.equal(snapshot(mirror, addr, 2), [READ, READ]);
  file.truncate(PAGE_SIZE);
  assert.equal(snapshot(mirror, addr, 4), [READ, NONE, NONE, NONE]);
});

scenario("exclusive access needs anonymous pages", ({ hmm, mm, mirrors: [mirror] }) => {
  using file = filled(hmm, 4);
  const shared = mm.mmap({ file, length: 4 * PAGE_SIZE });
  assert.equal(result(mirror.exclusive(shared, 1)), [-EOPNOTSUPP, 0, 0]);
  const copy = mm.mmap({ file, length: 4 * PAGE_SIZE, flags: MAP_PRIVATE });
  const answer = mirror.exclusive(copy, 4);
  assert.equal(result(answer), [0, 4, 0], "a private mapping's page is copied first");
  same(answer.data, words(4));
  assert.is(mm.rss.anon, 4);
});

scenario(
  "the device cannot write through a read-only mapping of a file",
  ({ hmm, mm, mirrors: [mirror] }) => {
    using file = filled(hmm, 1);
    const addr = mm.mmap({ file, length: PAGE_SIZE, prot: PROT_READ });
    assert.equal(result(mirror.write(addr, words(1))), [-EPERM, 0, 0]);
  },
);

scenarios.run("file-device");
