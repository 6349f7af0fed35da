/**
 * P18: a CPU touches a page on the device, and a driver in TypeScript brings it back without copying it: what
 * the fault costs beside the copy. The "rival" is the time that is asked for.
 */
import {
  HmmMirror,
  hmmDevmemAdd,
  hmmMirrorRegister,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateVmaSetup,
} from "../../src/index.ts";
import type { Hmm } from "../../src/index.ts";
import { BATCH, MIB, PAGE, PRIVATE, createEngine } from "../engine.ts";
import type { Row, Side } from "../harness.ts";
import { figure } from "../replaying.ts";

const ASKED = 1200;

/** Touches each page of a mapping that is on the device. The hash is the number of faults. */
function faulting(hmm: Hmm, bytes: number): Side {
  const owner = {};
  const mm = hmm.createMm();
  const start = mm.mmap({ length: bytes, ...PRIVATE });
  const end = start + bytes;
  mm.populate(start, bytes);
  hmmMirrorRegister(new HmmMirror({ update() {} }), mm);
  let faults = 0;
  const devmem = hmmDevmemAdd(
    hmm,
    {
      fault(_devmem, vma, address) {
        faults++;
        const page = Math.floor(address / PAGE) * PAGE;
        const m = migrateVmaSetup({ vma, start: page, end: page + PAGE });
        hmm.allocPages(m.src, m.dst);
        m.pages();
        m.finalize();
        return 0;
      },
    },
    owner,
    bytes,
  );
  const toDevice = (): void => {
    const sem = mm.mmapSem.read();
    const vma = mm.findVma(start);
    for (let at = start; at < end; at += BATCH * PAGE) {
      const stop = Math.min(at + BATCH * PAGE, end);
      const m = migrateVmaSetup({ vma, start: at, end: stop, select: MIGRATE_VMA_SELECT_SYSTEM, owner });
      devmem.allocPages(m.src, m.dst);
      m.pages();
      m.finalize();
    }
    sem.close();
  };
  return {
    run() {
      toDevice();
      faults = 0;
      const clock = performance.now();
      for (let at = start; at < end; at += PAGE) mm.load32(at);
      const ns = (performance.now() - clock) * 1e6;
      return { ns, hash: faults };
    },
  };
}

const row: Row = {
  title: "CPU fault on a device page beside the copy, with a TypeScript driver",
  unit: "fault",
  async run(context) {
    const bytes = context.smoke ? 2 * MIB : 8 * MIB;
    const hmm = await createEngine({ systemMemory: bytes, deviceMemory: bytes });
    const pages = bytes / PAGE;
    const results = await context.compare({
      ours: faulting(hmm, bytes),
      units: pages,
      rivals: [{ name: `${ASKED / 1000} us`, target: 1, sides: [figure(ASKED * pages, pages)] }],
    });
    hmm.verify();
    hmm.close();
    return results;
  },
};
export default row;
