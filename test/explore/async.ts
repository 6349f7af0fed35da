/** Migrations whose copies finish at any time: each copy is an agent of its own. */
import { migrateVmaSetup, PAGE_SIZE, type Hmm } from "../../src/index.ts";
import { waitFor, type Agent } from "../../src/testing.ts";
import { mapMigrated } from "./agents.ts";
import { makeWorld, type World } from "./world.ts";

/** A copy that a migration waits for. */
interface Copy {
  src: Uint32Array;
  dst: Uint32Array;
  done: boolean;
}

export interface AsyncWorld extends World {
  /** Copies by page. */
  copies: (Copy | undefined)[];
}

export const makeAsyncWorld = (hmm: Hmm): AsyncWorld => ({ ...makeWorld(hmm), copies: [] });

/** Migrates one page and waits for its copy. */
export const migratePage = (page: number): Agent<AsyncWorld> =>
  function* ({ mm, gpu, start, copies }) {
    yield "setup, and ask for the copy";
    using _sem = mm.mmapSem.read(`migration of page ${page}`);
    const from = start + page * PAGE_SIZE;
    using m = migrateVmaSetup({ vma: mm.findVma(from), start: from, end: from + PAGE_SIZE, owner: gpu });
    gpu.devmem.allocPages(m.src, m.dst);
    const copy = { src: m.src, dst: m.dst, done: false };
    copies[page] = copy;
    yield "pages, when the copy is there";
    waitFor(copy.done, `the copy of page ${page}`);
    m.pages();
    mapMigrated(gpu, m);
    yield "finalize";
  };

/** The device's copy engine for one page. */
export const copyPage = (page: number): Agent<AsyncWorld> =>
  function* ({ hmm, copies }) {
    yield `copy page ${page}`;
    const copy = copies[page];
    waitFor(copy !== undefined, "work");
    hmm.copyPages(copy.src, copy.dst);
    copy.done = true;
  };
