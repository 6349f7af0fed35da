/**
 * The scenarios of the kernel's HMM self-tests that need huge pages, under their kernel names, each with
 * device-private and with device-coherent memory, which has no huge pages. `thp` is an
 * aligned 2 MiB with MADV_HUGEPAGE, `pages` memory of the same size without. As in the kernel's tests, word i
 * holds i.
 */
import * as assert from "uvu/assert";
import { Dmirror } from "../../src/dmirror.ts";
import {
  ENOMEM,
  MADV_FREE,
  MADV_NOHUGEPAGE,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  type Mm,
  PROT_READ,
} from "../../src/index.ts";
import { buffer, type Fixture, result, same, Scenarios, words } from "../util/dmirror-fixture.ts";
import { advised, AT, isHuge, MIB, P, PAGES, PMD } from "../util/huge.ts";

/** The scenarios, which two files run: one for each kind of device memory. */
export const scenarios = new Scenarios({
  systemMemory: 24 * MIB,
  deviceMemory: 16 * MIB,
  perDevice: 8 * MIB,
});
const scenario = scenarios.add;

const KINDS = ["thp", "pages"] as const;
type Kind = (typeof KINDS)[number];
const DONE = [0, PAGES, 0];
const IS = words(PAGES);
const ZEROS = new Uint8Array(PMD);
const NEGATIVE = (npages: number): Uint8Array => words(npages, (i) => -i);

/** Makes a mapping at AT whose word i is i. */
function filled(mm: Mm, kind: Kind, length = PMD): number {
  advised(mm, length);
  if (kind === "pages") mm.madvise(AT, length, MADV_NOHUGEPAGE);
  mm.write(AT, words(length / P));
  assert.is(isHuge(mm, AT), kind === "thp");
  return AT;
}

/** Makes a read-only mapping with MADV_HUGEPAGE. */
function readOnly(mm: Mm): number {
  const addr = advised(mm);
  mm.mprotect(addr, PMD, PROT_READ);
  return addr;
}

/** Migrates 2 MiB and asserts that the device has all of it. */
function toDevice({ mm, mirrors: [mirror], devices: [device] }: Fixture, addr: number, data = IS): void {
  const answer = mirror.migrateToDevice(addr, PAGES);
  assert.equal(result(answer), DONE);
  same(answer.data, data);
  assert.is(device.devmem.usedPages, PAGES);
  mm.hmm.verify();
}

/**
 * The CPU reads 2 MiB back, with one fault for each mapping that comes back, or in place if the device is
 * coherent.
 */
function readsBack(fixture: Fixture, addr: number, faults: number, data = IS): void {
  const { mm, devices, coherent } = fixture;
  const { device: before } = mm.hmm.stats.faults;
  same(mm.read(addr, PMD), data);
  assert.is(mm.hmm.stats.faults.device - before, coherent ? 0 : faults);
  assert.is(devices[0].devmem.usedPages, coherent ? PAGES : 0);
}

for (const migrated of [false, true]) {
  for (const [what, npages] of [
    ["4 MiB", 1024],
    ["thp", PAGES],
  ] as const) {
    for (const reads of [true, false]) {
      const how = `${migrated ? ", migrated" : ""}${reads ? "" : ", the child does not read first"}`;
      scenario(`anon_write_child, ${what}${how}`, ({ mm, devices, mirrors: [mirror] }) => {
        const addr = what === "thp" ? filled(mm, "thp") : buffer(mm, npages);
        if (migrated) assert.equal(result(mirror.migrateToDevice(addr, npages)), [0, npages, 0]);
        using child = mm.fork();
        if (reads) same(child.read(addr, npages * P), words(npages));
        using own = new Dmirror(child, { device: devices[0] });
        assert.equal(result(own.write(addr, NEGATIVE(npages))), [0, npages, 1]);
        same(child.read(addr, npages * P), NEGATIVE(npages));
        same(mm.read(addr, npages * P), words(npages), "the parent sees what the child wrote");
      });
    }
  }
}

scenario("anon_write_huge", ({ mm, mirrors: [mirror] }) => {
  const start = mm.mmap({ length: 2 * PMD });
  const addr = Math.ceil(start / PMD) * PMD;
  advised(mm, PMD, addr);
  assert.equal(result(mirror.write(addr, IS)), [0, PAGES, 1]);
  assert.ok(isHuge(mm, addr));
  same(mm.read(addr, PMD), IS);
});

scenario("migrate_anon_huge_empty", (fixture) => {
  const addr = readOnly(fixture.mm);
  toDevice(fixture, addr, ZEROS);
  assert.is(isHuge(fixture.mm, addr), !fixture.coherent);
  readsBack(fixture, addr, 1, ZEROS);
});

scenario("migrate_anon_huge_zero", (fixture) => {
  const { mm } = fixture;
  const addr = readOnly(mm);
  assert.is(mm.load32(addr), 0);
  assert.equal([isHuge(mm, addr), mm.rss.anon], [true, 0], "the huge zero page");
  toDevice(fixture, addr, ZEROS);
  readsBack(fixture, addr, 1, ZEROS);
  assert.equal([isHuge(mm, addr), mm.rss.anon], [!fixture.coherent, PAGES]);
});

scenario("migrate_anon_huge_free", (fixture) => {
  const addr = filled(fixture.mm, "thp");
  toDevice(fixture, addr);
  fixture.mm.madvise(addr, PMD, MADV_FREE);
  assert.is(fixture.devices[0].devmem.usedPages, PAGES);
  readsBack(fixture, addr, 1);
});

scenario("migrate_anon_huge_fault", (fixture) => {
  const addr = filled(fixture.mm, "thp");
  toDevice(fixture, addr);
  readsBack(fixture, addr, 1);
  assert.is(isHuge(fixture.mm, addr), !fixture.coherent);
});

scenario(
  "migrate_anon_huge_fault, 6.12: a huge page migrates as 512 pages",
  (fixture) => {
    const addr = filled(fixture.mm, "thp");
    toDevice(fixture, addr);
    assert.not(isHuge(fixture.mm, addr));
    readsBack(fixture, addr, PAGES);
  },
  { linux: "6.12" },
);

for (const kind of KINDS) {
  for (const offset of [0, PMD / 4, PMD / 2]) {
    scenario(`migrate_partial_unmap_fault, ${kind}, at ${offset >> 10}K`, (fixture) => {
      const { mm, devices, coherent } = fixture;
      const addr = filled(mm, kind);
      toDevice(fixture, addr);
      mm.munmap(addr + offset, MIB);
      const left = PAGES - MIB / P;
      assert.is(mm.rss.anon, left);
      const whole = kind === "thp" && !coherent;
      assert.is(devices[0].devmem.usedPages, whole ? PAGES : left, "a large folio goes as one");
      for (const [start, end] of [
        [0, offset],
        [offset + MIB, PMD],
      ])
        if (start < end) same(mm.read(addr + start, end - start), IS.subarray(start, end));
      assert.is(devices[0].devmem.usedPages, coherent ? left : 0);
    });
  }
}

for (const kind of KINDS) {
  for (const before of [true, false]) {
    for (const flags of [0, MREMAP_DONTUNMAP]) {
      for (const offset of [0, PMD / 4, PMD / 2]) {
        const when = `mremap ${before ? "before" : "after"} migration`;
        const how = flags === 0 ? "" : ", DONTUNMAP";
        scenario(`migrate_remap_fault, ${kind}, ${when}${how}, to ${offset >> 10}K`, (fixture) => {
          const { mm } = fixture;
          const addr = filled(mm, kind);
          const target = AT + 4 * PMD + offset;
          const move = (): number => mm.mremap(addr, PMD, PMD, MREMAP_MAYMOVE | MREMAP_FIXED | flags, target);
          if (before) assert.is(move(), target);
          toDevice(fixture, before ? target : addr);
          if (!before) assert.is(move(), target);
          const whole = kind === "thp" && offset === 0 && !fixture.coherent;
          assert.is(isHuge(mm, target), whole);
          readsBack(fixture, target, whole ? 1 : PAGES);
          if (flags !== 0) same(mm.read(addr, PMD), ZEROS, "the old mapping is there, and empty");
          else assert.is(mm.findVma(addr), null);
        });
      }
    }
  }
}

scenario("migrate_anon_huge_err", (fixture) => {
  const { mm, devices, mirrors, coherent } = fixture;
  const addr = filled(mm, "thp");
  mirrors[0].failNextAlloc();
  toDevice(fixture, addr);
  assert.not(isHuge(mm, addr), "512 small pages");
  assert.is(mm.load32(addr + 4 * 2048), 2048);
  assert.is(devices[0].devmem.usedPages, coherent ? PAGES : PAGES - 1);
  mm.munmap(addr, PMD);
  filled(mm, "thp");
  toDevice(fixture, addr);
  assert.is(isHuge(mm, addr), !coherent);
  mirrors[0].failNextAlloc();
  // A single page that fails is out of memory, and ends the command.
  assert.is(mirrors[0].migrateToSystem(addr, PAGES).ret, coherent ? -ENOMEM : 0);
  assert.equal([isHuge(mm, addr), devices[0].devmem.usedPages], [false, coherent ? 1 : 0]);
  assert.is(mm.load32(addr + 4 * 2048), 2048);
  same(mm.read(addr, PMD), IS);
});

scenario("migrate_anon_huge_zero_err", (fixture) => {
  const { mm, mirrors } = fixture;
  const addr = readOnly(mm);
  mirrors[0].failNextAlloc();
  toDevice(fixture, addr, ZEROS);
  assert.not(isHuge(mm, addr), "512 small pages");
  assert.is(mm.load32(addr + 4 * 2048), 0);
  mm.munmap(addr, PMD);
  readOnly(mm);
  assert.is(mm.load32(addr), 0);
  assert.ok(isHuge(mm, addr), "the huge zero page");
  mirrors[0].failNextAlloc();
  toDevice(fixture, addr, ZEROS);
  readsBack(fixture, addr, PAGES, ZEROS);
});
