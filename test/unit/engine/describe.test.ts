import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  describePfn,
  describePte,
  describeVmFault,
  describeVmFlags,
  DEVICE_PFN_DIRTY,
  DeviceTable,
  EINVAL,
  errnoName,
  eventName,
  FAULT_KIND_COW,
  FAULT_MAPERR,
  faultCodeName,
  faultKindName,
  Hmm,
  hmmDevmemAdd,
  HMM_PFN_ERROR,
  HMM_PFN_ORDER_MASK,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  hmmPfn,
  MADV_PAGEOUT,
  migratePfn,
  migrateVmaSetup,
  MMU_NOTIFY_EXCLUSIVE,
  MMU_NOTIFY_UNMAP,
  PAGE_SIZE,
  PTE_DIRTY,
  PTE_KIND_SWAP,
  PTE_PRESENT,
  PTE_WRITE,
  PTE_YOUNG,
  VM_FAULT_MAJOR,
  VM_FAULT_OOM,
  VM_READ,
  VM_SHARED,
  type Mm,
} from "../../../src/index.ts";

const P = PAGE_SIZE;
const AT = 0x40000000;

/** An address space with a page in RAM, a swapped page, a page on a device, and a hole. */
function world(): { hmm: Hmm; mm: Mm; table: DeviceTable; deviceEntry: number } {
  const hmm = Hmm.createSync({ systemMemory: 4 << 20, deviceMemory: 2 << 20, swap: 1 << 20 });
  const mm = hmm.createMm();
  mm.mmap({ length: 4 * P, addr: AT });
  mm.write(AT, new Uint8Array(3 * P).fill(1));
  mm.madvise(AT + P, P, MADV_PAGEOUT);
  const owner = {};
  const devmem = hmmDevmemAdd(hmm, { fault: () => 2 }, owner, 2 << 20, { id: "gpu" });
  {
    using _sem = mm.mmapSem.read();
    using m = migrateVmaSetup({ vma: mm.findVma(AT), start: AT + 2 * P, end: AT + 3 * P, owner });
    m.dst[0] = migratePfn(devmem.allocPage());
    hmm.copyPages(m.src, m.dst);
    assert.is(m.pages(), 1);
  }
  const table = new DeviceTable(mm);
  const deviceEntry = hmmPfn(mm.lookupPte(AT)!.pfn, HMM_PFN_WRITE);
  table.map(AT, Uint32Array.of(deviceEntry));
  return { hmm, mm, table, deviceEntry };
}

const test = suite("describe");

test("numbers have names", () => {
  assert.is(eventName(MMU_NOTIFY_UNMAP), "MMU_NOTIFY_UNMAP");
  assert.is(eventName(MMU_NOTIFY_EXCLUSIVE), "MMU_NOTIFY_EXCLUSIVE");
  assert.is(eventName(77), "MMU_NOTIFY_? (77)");
  assert.is(faultKindName(FAULT_KIND_COW), "FAULT_KIND_COW");
  assert.is(faultCodeName(FAULT_MAPERR), "FAULT_MAPERR");
  assert.is(errnoName(EINVAL), "EINVAL");
  assert.is(describeVmFault(VM_FAULT_OOM | VM_FAULT_MAJOR), "VM_FAULT_OOM | VM_FAULT_MAJOR");
  assert.is(describeVmFault(0), "0");
  assert.is(describePte(0), "none");
  assert.is(describePte(PTE_PRESENT | PTE_WRITE | PTE_DIRTY), "present write dirty");
  assert.is(describePte(PTE_KIND_SWAP | PTE_YOUNG), "swap young");
  assert.is(describeVmFlags(VM_READ | VM_SHARED), "read shared");
  assert.is(describePfn(HMM_PFN_ERROR), "error");
  assert.is(
    describePfn(HMM_PFN_VALID | HMM_PFN_ORDER_MASK | DEVICE_PFN_DIRTY | 70),
    "valid 2MiB dirty page 70",
  );
});

test("an address space is described level by level, as an object and as text", () => {
  const { hmm, mm } = world();
  const described = mm.describe();
  assert.equal(
    described.vmas.map(({ start, end, file }) => [start, end, file]),
    [[AT, AT + 4 * P, 0]],
  );
  const levels = [];
  let table = described.root;
  for (; table.tables.length > 0; table = table.tables[0]) levels.push([table.level, table.address]);
  levels.push([table.level, table.address]);
  assert.equal(levels, [
    [4, 0],
    [3, 0],
    [2, AT],
    [1, AT],
  ]);
  const [ram, swapped, onDevice] = table.entries;
  assert.is(table.entries.length, 3);
  assert.is(ram.page!.page, mm.lookupPte(AT)!.pfn);
  assert.equal([ram.page!.refcount, ram.page!.mapcount, ram.page!.devmem], [1, 1, null]);
  assert.match(ram.text, /^present write/);
  assert.match(swapped.text, /^swap/);
  assert.is(swapped.page, null);
  assert.match(onDevice.text, /^device/);
  assert.is(onDevice.page!.devmem, "gpu");

  const text = mm.dump().split("\n");
  assert.is(text[0], `mm ${mm.id}, 1 mapping`);
  assert.match(text[1], /^ {2}0x40000000-0x40004000 4 pages, read write /);
  assert.equal(text.slice(2, 6), ["PGD 0x0", "  PUD 0x0", "    PMD 0x40000000", "      PTE 0x40000000"]);
  assert.match(text[6], /^ {8}0x40000000 present write .*, page \d+: refcount 1, mapcount 1, .*flags .*anon/);
  assert.match(text[8], /^ {8}0x40002000 device .*, page \d+ of gpu: refcount 1/);
  assert.is(text.length, 9);

  const part = mm.describe({ start: AT + 3 * P, end: AT + 4 * P });
  assert.is(part.root.tables[0].tables[0].tables[0].entries.length, 0);
  assert.is(mm.describe({ end: AT }).vmas.length, 0);
  hmm.verify();
});

test("an address is described in every address space that has something there", () => {
  const { hmm, mm, table, deviceEntry } = world();
  const child = mm.fork();
  table.clear(AT, AT + P); // as a driver does that is told of the fork
  const all = hmm.describe(AT + 5);
  assert.equal(
    all.map(({ mm: id }) => id),
    [mm.id, child.id],
  );
  assert.equal(all[0].devices, []);
  assert.is(hmm.describe(AT + 3 * P)[0].entry, null);
  assert.equal(hmm.describe(AT - P), []);
  table.map(AT, Uint32Array.of(deviceEntry & ~HMM_PFN_WRITE));
  const [first] = hmm.describe(AT + 5);
  assert.is(first.devices.length, 1);
  const lines = first.text.split("\n");
  assert.is(lines[0], `mm ${mm.id}, address 0x40000005`);
  assert.match(lines[1], /^ {2}0x40000000-0x40004000 4 pages/);
  assert.match(lines[2], /^ {2}0x40000000 present .*page \d+: refcount 2, mapcount 2/);
  assert.match(lines[3], new RegExp(`^ {2}device table ${table.id}: valid page \\d+$`));
});
test.run();
