/**
 * P1: hmmVmaGetPfns over one mapping. Runs of its pages are present, holes, the zero page or on the device.
 */
import { HmmMirror, HmmRange, hmmMirrorRegister, hmmVmaGetPfns, hmmVmaRangeDone } from "../../src/index.ts";
import type { Mm, PfnArray, Vma } from "../../src/index.ts";
import { MIB, PAGE, PRIVATE, BenchDevice, createEngine } from "../engine.ts";
import { HASH_SEED, hashWords, random, side } from "../harness.ts";
import type { Context, Result, Rival, Row, Side } from "../harness.ts";
import { floor, floorNote, twins, vectors, withFolder } from "../native.ts";

/** All pages of a run are in one state. A run has 1 to RUN_MAX pages. */
const RUN_MAX = 64;

/** Percentage of runs whose pages are present. The other three states share the rest evenly. */
const PRESENT = 85;

type State = "present" | "hole" | "zero" | "device";

interface Run {
  readonly start: number;
  readonly bytes: number;
  readonly state: State;
}

function runsOf(start: number, pages: number): Run[] {
  const below = random(20180410);
  const runs: Run[] = [];
  for (let page = 0; page < pages;) {
    const length = Math.min(1 + below(RUN_MAX), pages - page);
    const dice = below(100);
    const state = dice < PRESENT ? "present" : dice < 90 ? "hole" : dice < 95 ? "zero" : "device";
    runs.push({ start: start + page * PAGE, bytes: length * PAGE, state });
    page += length;
  }
  return runs;
}

function populate(mm: Mm, device: BenchDevice, runs: readonly Run[]): void {
  for (const { start, bytes, state } of runs) {
    if (state === "hole") continue;
    mm.populate(start, bytes, { write: state !== "zero" });
  }
  for (const { start, bytes, state } of runs)
    if (state === "device") device.toDevice(mm, start, start + bytes);
}

/** The core's page-table entries of the whole mapping. The C twin builds its table from them. */
function entries(mm: Mm, vma: Vma): Uint32Array {
  const words = new Uint32Array(2 * vma.npages);
  for (let i = 0; i < vma.npages; i++) {
    const pte = mm.lookupPte(vma.start + i * PAGE);
    if (pte === null) continue;
    words[2 * i] = pte.flags;
    words[2 * i + 1] = pte.pfn;
  }
  return words;
}

function snapshots(mm: Mm, vma: Vma, pfns: PfnArray, repeats: number): Side {
  const range = new HmmRange();
  const work = (): void => {
    for (let i = 0; i < repeats; i++) {
      const sem = mm.mmapSem.read();
      const answer = hmmVmaGetPfns(vma, range, vma.start, vma.end, pfns);
      if (answer !== 0 || !hmmVmaRangeDone(vma, range)) throw new Error(`hmmVmaGetPfns: ${answer}`);
      sem.close();
    }
  };
  return side(work, () => hashWords(HASH_SEED, pfns));
}

function rivals(path: string, start: number, repeats: number): Rival[] {
  const args = [path, start, repeats];
  return [
    ...twins("range-snapshot", [...args, 0], { O3: 0.6, native: 2.2 }),
    vectors("AVX2", "range-snapshot", [...args, 1], 1.3),
  ];
}

/** Measures one size. P10 uses it too. */
export async function measure(bytes: number, repeats: number, context: Context): Promise<Result[]> {
  const hmm = await createEngine({ systemMemory: bytes, deviceMemory: bytes / 8 });
  const device = new BenchDevice(hmm, bytes / 8);
  const mm = hmm.createMm();
  hmmMirrorRegister(new HmmMirror({ update() {} }), mm);
  const start = mm.mmap({ length: bytes, ...PRIVATE });
  populate(mm, device, runsOf(start, bytes / PAGE));
  const vma = mm.findVma(start)!;
  const results = await withFolder((file) =>
    context.compare({
      ours: snapshots(mm, vma, hmm.pfnArray(vma.npages), repeats),
      units: (bytes / PAGE) * repeats,
      rivals: rivals(file("entries", entries(mm, vma)), start, repeats),
    }),
  );
  hmm.verify();
  hmm.close();
  return results;
}

/**
 * A snapshot reads an 8-byte entry and writes a 4-byte word for each page. The floor is memcpy of that many
 * bytes.
 */
async function noteFloor(bytes: number, context: Context): Promise<void> {
  const pages = bytes / PAGE;
  const ns = await floor("copy", 6 * pages, context.smoke ? 1 : 200);
  context.note(floorNote("12 bytes a page at the speed of memcpy", ns === null ? null : ns / pages));
}

const row: Row = {
  title: "snapshot: hmmVmaGetPfns, 85 % present",
  unit: "page",
  async run(context) {
    const bytes = context.smoke ? 8 * MIB : 1024 * MIB;
    const results = await measure(bytes, context.smoke ? 1 : 200, context);
    await noteFloor(bytes, context);
    return results;
  },
};
export default row;
