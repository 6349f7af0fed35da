/** The kernel's HMM self-tests that need hugetlb pages, under their kernel names. */
import * as assert from "uvu/assert";
import { Dmirror, DMIRROR_PROT_PMD, DMIRROR_PROT_READ, DMIRROR_PROT_WRITE } from "../../src/dmirror.ts";
import {
  Hmm,
  MAP_ANONYMOUS,
  MAP_HUGETLB,
  MAP_PRIVATE,
  PAGE_SIZE,
  PROT_READ,
  type Mm,
} from "../../src/index.ts";
import { onEachBuild } from "../util/builds.ts";
import { result, same, snapshot, words } from "../util/dmirror-fixture.ts";

const PMD = 2 << 20;
const PAGES = PMD / PAGE_SIZE;

onEachBuild("hmm-tests: hugetlb", (test, module) => {
  const world = (): { mm: Mm; mirror: Dmirror; addr: number } => {
    const hmm = Hmm.createSync(module, { systemMemory: 8 << 20, deviceMemory: 4 << 20, hugetlb: PMD });
    const mm = hmm.createMm();
    const mirror = new Dmirror(mm, { deviceMemory: 4 << 20 });
    const addr = mm.mmap({ length: PMD, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB });
    return { mm, mirror, addr };
  };

  test("anon_write_hugetlbfs", () => {
    const { mm, mirror, addr } = world();
    assert.equal(result(mirror.write(addr, words(PAGES))), [0, PAGES, 1]);
    same(mm.read(addr, PMD), words(PAGES));
    mm.hmm.verify();
  });

  test("compound", () => {
    const { mm, mirror, addr } = world();
    mm.write(addr, words(PAGES));
    assert.equal(new Set(snapshot(mirror, addr, PAGES)), new Set([DMIRROR_PROT_WRITE | DMIRROR_PROT_PMD]));
    mm.mprotect(addr, PMD, PROT_READ);
    assert.equal(new Set(snapshot(mirror, addr, PAGES)), new Set([DMIRROR_PROT_READ | DMIRROR_PROT_PMD]));
    mm.hmm.verify();
  });
}).run();
