/**
 * The fixture of the scenarios beyond the kernel's own tests: a process with a driver, checks of its entries,
 * and sums over all entries after every step of every scenario.
 */
import * as assert from "uvu/assert";
import {
  PTE_KIND_DEVICE,
  PTE_KIND_DEVICE_EXCLUSIVE,
  PTE_KIND_MASK,
  PTE_KIND_MIGRATION,
  PTE_KIND_SWAP,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_WRITE,
} from "../../assembly/uapi/pte.ts";
import { HDR_LOG_HEAD } from "../../assembly/abi/header.ts";
import { contextOf } from "../../src/engine/context.ts";
import {
  type Hmm,
  HmmMirror,
  hmmMirrorRegister,
  Memcg,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
  VM_HUGETLB,
  type HmmConfig,
  type HmmError,
  type HmmEventName,
  type Mm,
} from "../../src/index.ts";
import { describeFolio } from "../../src/engine/describe.ts";
import { onEachBuild } from "../util/builds.ts";
import { errorOf, makeHmm, MIB, TestGpu } from "../util/driver.ts";

export const P = PAGE_SIZE;
export const RW = PROT_READ | PROT_WRITE;

export interface World {
  hmm: Hmm;
  /** A group without a limit, to which mm and its children are charged. */
  memcg: Memcg;
  mm: Mm;
  /** A mirror of mm with 4 MiB of device memory. */
  gpu: TestGpu;
}

type Body = (world: World) => void | Promise<void>;

/**
 * Numbered scenarios. Each runs on a fresh world and on both builds. After each step the sums must hold
 * (E80), and at the end nothing may be left in use.
 */
export class Beyond {
  readonly #scenarios: [name: string, body: Body, config: HmmConfig][] = [];
  readonly #config: HmmConfig;

  constructor(config: HmmConfig = {}) {
    this.#config = config;
  }

  /**
   * @param name begins with the scenario's number: "E04 …"
   * @param config of this scenario alone
   */
  readonly add = (name: string, body: Body, config: HmmConfig = {}): void => {
    this.#scenarios.push([name, body, { ...this.#config, ...config }]);
  };

  run(suite: string): void {
    onEachBuild(suite, (test, module) => {
      for (const [name, body, config] of this.#scenarios) test(name, () => runScenario(module, config, body));
    }).run();
  }
}

async function runScenario(module: WebAssembly.Module, config: HmmConfig, body: Body): Promise<void> {
  const hmm = makeHmm(module, { swap: MIB, systemMemory: 10 * MIB, hugetlb: 2 * MIB, ...config });
  const free = hmm.freePages;
  checkEachStep(hmm);
  const memcg = new Memcg();
  const mm = hmm.createMm({ memcg });
  const gpu = new TestGpu(mm);
  await body({ hmm, memcg, mm, gpu });
  checkSums(hmm);
  assert.equal(hmm.migrations(), [], "a migration is left open");
  for (const each of hmm.mms()) each.close();
  for (const devmem of hmm.devmems()) {
    assert.is(devmem.usedPages, 0, "device pages are left in use");
    devmem.close();
  }
  assert.is(hmm.freePages, free, "system pages are left in use");
  assert.is(memcg.usage, 0, "pages are left charged");
  hmm.close();
  hmm.verify();
}

/** Runs at the end of each API call that changed something. */
export function checkEachStep(hmm: Hmm): void {
  const { mem } = contextOf("checkEachStep", hmm);
  const names: HmmEventName[] = ["fault", "migrate", "invalidate", "mmap", "munmap", "fork"];
  let checked = -1;
  const check = (): void => {
    const head = mem.header(HDR_LOG_HEAD);
    if (head !== checked) checkSums(hmm);
    checked = head;
  };
  for (const name of names) hmm.on(name, check);
}

/** Counts the entries that name a page, one by one; verify() sums resident pages by kind, and the charges. */
export function checkSums(hmm: Hmm): void {
  for (const mm of hmm.mms()) {
    const counted = { pages: 0, swapped: 0 };
    for (const vma of mm.vmas()) {
      if ((vma.flags & VM_HUGETLB) !== 0) continue; // no process counts hugetlb pages
      for (let addr = vma.start; addr < vma.end; addr += P) {
        const state = entry(mm, addr).split(" ")[0];
        if (state === "swap") counted.swapped++;
        else if (state !== "none" && state !== "zero" && state !== "other") counted.pages++;
      }
    }
    assert.equal({ pages: mm.rss.total, swapped: mm.rss.swap }, counted, `rss of mm ${mm.id}`);
  }
  hmm.verify();
}

const STATES: Record<number, string> = {
  [PTE_KIND_MIGRATION]: "migration",
  [PTE_KIND_DEVICE]: "device",
  [PTE_KIND_DEVICE_EXCLUSIVE]: "exclusive",
  [PTE_KIND_SWAP]: "swap",
  0: "none",
};

/**
 * Returns the kind of the entry at addr: "none", "zero", "swap", "other" (a lost page), or "present",
 * "device", "migration", "exclusive", with " w" if writable.
 */
export function entry(mm: Mm, addr: number): string {
  const flags = mm.lookupPte(addr)?.flags ?? 0;
  const present = (flags & PTE_PRESENT) !== 0;
  if (present && (flags & PTE_SPECIAL) !== 0) return "zero";
  const state = present ? "present" : (STATES[flags & PTE_KIND_MASK] ?? "other");
  return (flags & PTE_WRITE) !== 0 ? `${state} w` : state;
}

/** Returns the entries of n pages from addr. */
export function entries(mm: Mm, addr: number, n: number): string[] {
  return Array.from({ length: n }, (_, i) => entry(mm, addr + i * P));
}

/** Returns an array of n equal elements. */
export function times<T>(n: number, value: T): T[] {
  return new Array<T>(n).fill(value);
}

/** Returns the page that the entry at addr names. */
export function pfnAt(mm: Mm, addr: number): number {
  const pte = mm.lookupPte(addr);
  assert.ok(pte !== null && pte.pfn !== 0, "an entry that names a page");
  return pte.pfn;
}

/** Returns the flags of a page as the engine's dumps name them. */
export function flagsOf(hmm: Hmm, pfn: number): string[] {
  const text = describeFolio(contextOf("flagsOf", hmm), pfn);
  return text.slice(text.indexOf("flags ") + 6).split(" ");
}

/** Makes a mapping of n pages, page i filled with i + 1. */
export function filled(mm: Mm, n: number, seed = 1): number {
  const addr = mm.mmap({ length: n * P });
  for (let i = 0; i < n; i++) mm.write(addr + i * P, page(seed + i));
  return addr;
}

export function page(byte: number): Uint8Array {
  return new Uint8Array(P).fill(byte & 255);
}

/** Asserts that n pages from addr hold what filled() wrote. */
export function holds(mm: Mm, addr: number, n: number, seed = 1): void {
  for (let i = 0; i < n; i++) assert.equal(mm.read(addr + i * P, P), page(seed + i), `page ${i}`);
}

/** Returns the code of the HmmError that `body` throws. */
export function codeOf(body: () => unknown): string | undefined {
  return (errorOf(body) as HmmError | undefined)?.code;
}

/** One update that a mirror hears. */
export interface Heard {
  start: number;
  end: number;
  event: number;
}

export interface Listener {
  mirror: HmmMirror;
  heard: Heard[];
  released: number;
}

/** A mirror without entries that writes down what it hears. */
export function listen(mm: Mm, also: { onUpdate?: () => void; onRelease?: () => void } = {}): Listener {
  const listener: Listener = {
    mirror: new HmmMirror({
      update: (_mirror, _action, start, end, event) => {
        listener.heard.push({ start, end, event });
        also.onUpdate?.();
      },
      release: () => {
        listener.released++;
        also.onRelease?.();
      },
    }),
    heard: [],
    released: 0,
  };
  assert.is(hmmMirrorRegister(listener.mirror, mm), 0);
  return listener;
}
