/**
 * P23: pages of 2 MiB move to the device and back as one each. With page contents the rival is memcpy of the
 * same bytes in both directions. In metadata mode no copy hides the overhead, and the rival is the same table
 * work in C.
 */
import {
  Hmm,
  MADV_HUGEPAGE,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  VM_FAULT_SIGBUS,
  hmmDevmemAdd,
  migrateVmaSetup,
} from "../../src/index.ts";
import type { Mm } from "../../src/index.ts";
import { MIB, PAGE, PRIVATE } from "../engine.ts";
import { HASH_SEED, hashWord } from "../harness.ts";
import type { Result, Row, Side } from "../harness.ts";
import { fasterTwin, floor, floorNote } from "../native.ts";
import { figure } from "../replaying.ts";

const HUGE = 2 * MIB;

/**
 * Moves every huge page there and back. The hash is what native/huge-migrate.c hashes: flags of the entries,
 * the sum of their frames, and the resident pages.
 */
function moving(bytes: number, backing: "data" | "metadata"): Side {
  // Room for some huge pages more, so that destinations are never scattered.
  const memory = bytes + 4 * HUGE;
  const hmm = Hmm.createSync({ systemMemory: memory, deviceMemory: memory, backing, linux: "7.3" });
  const devmem = hmmDevmemAdd(hmm, { fault: () => VM_FAULT_SIGBUS }, {}, bytes + HUGE);
  const mm = hmm.createMm();
  const area = mm.mmap({ length: bytes + HUGE, ...PRIVATE });
  const start = Math.ceil(area / HUGE) * HUGE;
  mm.madvise(start, bytes, MADV_HUGEPAGE);
  mm.populate(start, bytes);
  const move = (from: number, direction: number): number => {
    const select = direction | MIGRATE_VMA_SELECT_COMPOUND;
    const vma = mm.findVma(from);
    const m = migrateVmaSetup({ vma, start: from, end: from + HUGE, select, owner: devmem });
    if (direction === MIGRATE_VMA_SELECT_SYSTEM) devmem.allocPages(m.src, m.dst);
    else hmm.allocPages(m.src, m.dst);
    if (backing === "data") hmm.copyPages(m.src, m.dst);
    const moved = m.pages();
    m.finalize();
    return moved;
  };
  return {
    run() {
      let moved = 0;
      const sem = mm.mmapSem.read();
      const clock = performance.now();
      for (const direction of [MIGRATE_VMA_SELECT_SYSTEM, MIGRATE_VMA_SELECT_DEVICE_PRIVATE])
        for (let at = start; at < start + bytes; at += HUGE) moved += move(at, direction);
      const ns = (performance.now() - clock) * 1e6;
      sem.close();
      if (moved !== (2 * bytes) / PAGE) throw new Error(`${moved} small pages have moved`);
      return { ns, hash: hashOf(mm, start, bytes) };
    },
  };
}

function hashOf(mm: Mm, start: number, bytes: number): number {
  let hash = HASH_SEED;
  let sum = 0;
  for (let at = start; at < start + bytes; at += PAGE) {
    const { flags, pfn } = mm.lookupPte(at)!;
    hash = hashWord(hash, flags & 0xd0000000); // PTE_PRESENT, PTE_WRITE, PTE_HUGE
    sum = (sum + pfn) >>> 0;
  }
  return hashWord(hashWord(hash, sum), mm.rss.anon);
}

const row: Row = {
  title: "a 2 MiB page there and back as one",
  unit: "page of 2 MiB, both ways",
  async run(context) {
    const bytes = (context.smoke ? 1 : 32) * HUGE;
    const units = bytes / HUGE;
    const ours = moving(bytes, "data");
    const { hash } = await ours.run();
    const copy = await floor("copy", bytes, 1);
    context.note(floorNote("memcpy of all bytes, one way", copy));
    const copying = copy === null ? null : [figure(2 * copy, hash)];
    const results: Result[] = await context.compare({
      ours,
      units,
      rivals: [{ name: "memcpy", target: 1.05, sides: copying }],
    });
    const alone = moving(bytes, "metadata");
    const twin = fasterTwin("twin-metadata", "huge-migrate", [bytes], 1.3);
    results.push(...(await context.compare({ ours: alone, units, rivals: [twin] })));
    return results;
  },
};
export default row;
