/**
 * P2: translates random addresses of a dense and of a sparse mapping. Each walk visits four levels of tables.
 */
import type { Hmm, Mm } from "../../src/index.ts";
import { GIB, MIB, PAGE, PRIVATE, createEngine } from "../engine.ts";
import { HASH_SEED, hashWords, random, side } from "../harness.ts";
import type { Context, Result, Row, Side } from "../harness.ts";
import { fasterTwin, floor, floorNote, withFolder } from "../native.ts";

interface Size {
  readonly name: string;
  /** Length of the mapping in bytes. */
  readonly bytes: number;
  /** Each group of `stride` pages has one populated page, at a random place in the group. */
  readonly stride: number;
  readonly queries: number;
  readonly repeats: number;
}

/** Entries that the second twin prefetches before it reads any. */
const AHEAD = 64;

const SIZES: readonly Size[] = [
  { name: "dense-1GiB", bytes: GIB, stride: 1, queries: 1 << 20, repeats: 8 },
  { name: "sparse-64GiB", bytes: 64 * GIB, stride: 16, queries: 1 << 20, repeats: 2 },
];
const SMOKE: readonly Size[] = [
  { name: "dense", bytes: 8 * MIB, stride: 1, queries: 1 << 10, repeats: 1 },
  { name: "sparse", bytes: GIB, stride: 64, queries: 1 << 10, repeats: 1 },
];

/** Populates the mapping. Returns the addresses of its pages in ascending order. */
function populate(mm: Mm, start: number, { bytes, stride }: Size): Float64Array {
  const below = random(4096);
  const pages = new Float64Array(bytes / PAGE / stride);
  for (let i = 0; i < pages.length; i++) pages[i] = start + (i * stride + below(stride)) * PAGE;
  if (stride === 1) mm.populate(start, bytes);
  else for (const page of pages) mm.populate(page, PAGE);
  return pages;
}

/** Returns random addresses in populated pages. One address in sixteen lies anywhere in the mapping. */
function queriesOf(pages: Float64Array, start: number, { bytes, queries }: Size): Float64Array {
  const below = random(48);
  return Float64Array.from({ length: queries }, () =>
    below(16) === 0 ? start + below(bytes / 4) * 4 : pages[below(pages.length)] + below(PAGE / 4) * 4,
  );
}

/** Returns pairs of u64 (address, entry) from which the C twin builds its table. */
function mapped(mm: Mm, pages: Float64Array): Uint32Array {
  const words = new Uint32Array(4 * pages.length);
  pages.forEach((address, i) => {
    const { flags, pfn } = mm.lookupPte(address)!;
    words.set([address % 2 ** 32, Math.floor(address / 2 ** 32), flags, pfn], 4 * i);
  });
  return words;
}

function translations(hmm: Hmm, mm: Mm, queries: Float64Array, repeats: number): Side {
  const addresses = hmm.addressArray(queries.length);
  addresses.set(queries);
  const out = hmm.pfnArray(queries.length);
  const work = (): void => {
    for (let i = 0; i < repeats; i++) mm.translate(addresses, out);
  };
  return side(work, () => hashWords(HASH_SEED, out));
}

async function measure(size: Size, context: Context): Promise<Result[]> {
  const pages = size.bytes / PAGE / size.stride;
  const hmm = await createEngine({
    systemMemory: pages * PAGE,
    backing: "metadata",
    capacities: { pageTables: Math.ceil((size.bytes / (2 * MIB)) * 1.01) + 64 },
    arena: 16 * size.queries + MIB,
  });
  const mm = hmm.createMm();
  const start = mm.mmap({ length: size.bytes, ...PRIVATE });
  const addresses = populate(mm, start, size);
  const queries = queriesOf(addresses, start, size);
  const results = await withFolder((file) => {
    const files = [file("mapped", mapped(mm, addresses)), file("queries", queries), size.repeats];
    const twin = (name: string, ahead: number, target: number) =>
      fasterTwin(`${name}-${size.name}`, "translate", [...files, ahead], target);
    return context.compare({
      ours: translations(hmm, mm, queries, size.repeats),
      units: size.queries * size.repeats,
      rivals: [twin("twin", 0, 1.25), twin("prefetching", AHEAD, 1.3)],
    });
  });
  hmm.verify();
  hmm.close();
  await noteFloor(size, context);
  return results;
}

/**
 * Only the load from the leaf table misses the L1 cache. The floor is one random load from that many bytes of
 * tables.
 */
async function noteFloor({ name, bytes }: Size, context: Context): Promise<void> {
  const tables = (bytes / (2 * MIB)) * PAGE;
  const ns = await floor("gather", tables, context.smoke ? 1 : 4);
  context.note(
    floorNote(`${name}: a random load from the leaf tables`, ns === null ? null : ns / (tables / 8)),
  );
}

const row: Row = {
  title: "translate: random four-level walks",
  unit: "walk",
  async run(context) {
    const results: Result[] = [];
    for (const size of context.smoke ? SMOKE : SIZES) results.push(...(await measure(size, context)));
    return results;
  },
};
export default row;
