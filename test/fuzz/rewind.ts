/** Scribbles over an engine, and rewinds it to a checkpoint from before. */
import { PTE_PRESENT, PTE_SPECIAL } from "../../assembly/uapi/pte.ts";
import { HmmError, PAGE_SIZE, type Hmm, type RestoreAttachments } from "../../src/index.ts";
import { Checkpoint } from "../../src/testing.ts";

/** Pages of a mapping that are scribbled over, at most, and those of a new process. */
const PAGES = 64;
const NEW_PAGES = 8;

/** Changes bytes of pages, and makes a process where there is room; no subscriber hears of it. */
function scribble(hmm: Hmm): void {
  for (const mm of hmm.mms())
    for (const { start, npages } of mm.vmas())
      for (let i = 0; i < Math.min(npages, PAGES); i++) {
        const pte = mm.lookupPte(start + i * PAGE_SIZE);
        if (pte === null || (pte.flags & PTE_PRESENT) === 0 || (pte.flags & PTE_SPECIAL) !== 0) continue;
        hmm.pageBytes(pte.pfn, (bytes) => void bytes.fill(0xa5));
      }
  try {
    const mm = hmm.createMm();
    mm.populate(mm.mmap({ length: NEW_PAGES * PAGE_SIZE }), NEW_PAGES * PAGE_SIZE);
  } catch (error) {
    // Memory or the engine's tables may be full: what was done until then is rewound as well.
    if (!(error instanceof HmmError && error.code === "ENOMEM")) throw error;
  }
}

/** Returns the engine as it was before it was scribbled over. */
export function rewound(hmm: Hmm, attach: RestoreAttachments): Hmm {
  const point = new Checkpoint(hmm);
  scribble(hmm);
  return point.rewind(attach);
}
