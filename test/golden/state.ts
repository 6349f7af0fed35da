/** The state of a process in the records' form. */
import type { Mm, Vma } from "../../src/index.ts";
import { PAGE_SIZE, PMD_SIZE } from "../../assembly/uapi/page.ts";
import {
  PTE_DIRTY,
  PTE_HUGE,
  PTE_KIND_DEVICE,
  PTE_KIND_DEVICE_EXCLUSIVE,
  PTE_KIND_MASK,
  PTE_KIND_SWAP,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_YOUNG,
} from "../../assembly/uapi/pte.ts";
import {
  VM_ACCOUNT,
  VM_DONTCOPY,
  VM_DONTEXPAND,
  VM_EXEC,
  VM_HUGEPAGE,
  VM_HUGETLB,
  VM_IO,
  VM_LOCKED,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_MERGEABLE,
  VM_MIXEDMAP,
  VM_NOHUGEPAGE,
  VM_PFNMAP,
  VM_RAND_READ,
  VM_READ,
  VM_SEQ_READ,
  VM_SHARED,
  VM_WIPEONFORK,
  VM_WRITE,
} from "../../assembly/uapi/vm.ts";
import { encodeBytes } from "./codec.ts";
import { pageInfo } from "./inspect.ts";
import type { Process } from "./process.ts";
import { ARENA, type HandleState, type ProcessState, type Smaps } from "./records.ts";

/** Pagemap bits. */
const PM_PRESENT = 1;
const PM_SWAP = 2;
const PM_FILE = 4;
const PM_MAPPED_ONCE = 8;

/** Pages of a huge mapping. */
const LARGE_PAGES = PMD_SIZE / PAGE_SIZE;

/** `dev`: pages in use on each device. */
export function stateOf({ mm, handles, opened }: Process, win: number, dev: number[]): ProcessState {
  const { anon, file, shmem, swap } = mm.rss;
  const h: Record<string, HandleState> = {};
  for (const number of [...opened].sort((a, b) => a - b)) {
    const handle = handles.get(number)!;
    h[number] = {
      snap: encodeBytes(handle.snapshot(ARENA, win).bytes),
      dpt: encodeBytes(handle.entries(ARENA, win)),
      inv: handle.takeEvents(ARENA, win),
    };
  }
  const pm = Array.from({ length: win }, (_, i) => pagemap(mm, ARENA + i * PAGE_SIZE));
  return {
    vma: mm.vmas().map((vma) => `${pageNumber(vma.start)}-${pageNumber(vma.end)} ${permissions(vma)}`),
    pm: encodeBytes(pm),
    rss: [anon, file, shmem, swap],
    h,
    dev: dev.slice(0, 2),
    ...([...handles.values()].some(({ device }) => device.coherent) ? { coh: dev.slice(2) } : {}),
  };
}

function pageNumber(address: number): number {
  return (address - ARENA) / PAGE_SIZE;
}

function permissions({ flags }: Vma): string {
  const letter = (bit: number, name: string): string => ((flags & bit) !== 0 ? name : "-");
  return (
    letter(VM_READ, "r") +
    letter(VM_WRITE, "w") +
    letter(VM_EXEC, "x") +
    ((flags & VM_SHARED) !== 0 ? "s" : "p")
  );
}

// ── Pagemap and smaps: reported in detail ─────────────────────────────────────────────────────────────────

/** An entry's page as smaps sees it. */
interface Mapped {
  /** Whether the entry is present or names a device page, which counts as present. */
  counted: boolean;
  referenced: boolean;
  dirty: boolean;
  mapcount: number;
  anon: boolean;
  ksm: boolean;
  free: boolean;
}

/** Whether the address is in a mapping of memory without pages. */
export function isPfnMap(mm: Mm, address: number): boolean {
  return ((mm.findVma(address)?.flags ?? 0) & VM_PFNMAP) !== 0;
}

/** Returns the pagemap bits of a page. */
export function pagemap(mm: Mm, address: number): number {
  const entry = mm.lookupPte(address);
  if (entry === null) return 0;
  if ((entry.flags & PTE_PRESENT) === 0) return PM_SWAP;
  // Memory without pages is not shown at all.
  if ((entry.flags & PTE_SPECIAL) !== 0) {
    if (isPfnMap(mm, address)) return 0;
    // In 6.12 the huge zero page looks like a page of a file.
    return PM_PRESENT | ((entry.flags & PTE_HUGE) !== 0 && mm.hmm.config.linux === "6.12" ? PM_FILE : 0);
  }
  const { anon } = pageInfo(mm.hmm, entry.pfn);
  // 7.3 looks at the first page of a huge mapping alone.
  const huge = (entry.flags & PTE_HUGE) !== 0 && mm.hmm.config.linux !== "6.12";
  const page = huge ? entry.pfn - ((address / PAGE_SIZE) % LARGE_PAGES) : entry.pfn;
  const once = pageInfo(mm.hmm, page).mapcount === 1;
  return PM_PRESENT | (anon ? 0 : PM_FILE) | (once ? PM_MAPPED_ONCE : 0);
}

/** Returns the page of an entry; null for none, the zero page and swap. */
function mapped(mm: Mm, address: number): Mapped | null {
  const entry = mm.lookupPte(address);
  if (entry === null || (entry.flags & PTE_SPECIAL) !== 0) return null;
  const kind = entry.flags & PTE_KIND_MASK;
  const present = (entry.flags & PTE_PRESENT) !== 0;
  if (!present && kind !== PTE_KIND_DEVICE && kind !== PTE_KIND_DEVICE_EXCLUSIVE) return null;
  const { mapcount, anon, dirty, ksm, free, referenced } = pageInfo(mm.hmm, entry.pfn);
  return {
    counted: present || kind === PTE_KIND_DEVICE,
    referenced: referenced || (present && (entry.flags & PTE_YOUNG) !== 0),
    dirty: dirty || (present && (entry.flags & PTE_DIRTY) !== 0),
    mapcount,
    anon,
    ksm,
    free,
  };
}

/**
 * Returns the pages of a huge mapping. One entry tells of accesses to any of them; one of a device's page
 * counts as dirty and shared.
 */
function mappedHuge(mm: Mm, start: number): Mapped[] {
  const pages = Array.from({ length: LARGE_PAGES }, (_, i) => mapped(mm, start + i * PAGE_SIZE)!);
  const present = (mm.lookupPte(start)!.flags & PTE_PRESENT) !== 0;
  const dirty = !present || pages.some((page) => page.dirty);
  const referenced = pages.some((page) => page.referenced);
  return pages.map((page) => ({ ...page, counted: present, dirty, referenced }));
}

/** The two-letter names of vma flags, in the order in which smaps shows them. */
const VM_FLAG_NAMES: readonly [bit: number, name: string][] = [
  [VM_READ, "rd"],
  [VM_WRITE, "wr"],
  [VM_EXEC, "ex"],
  [VM_SHARED, "sh"],
  [VM_MAYREAD, "mr"],
  [VM_MAYWRITE, "mw"],
  [VM_MAYEXEC, "me"],
  [VM_MAYSHARE, "ms"],
  [VM_PFNMAP, "pf"],
  [VM_LOCKED, "lo"],
  [VM_IO, "io"],
  [VM_SEQ_READ, "sr"],
  [VM_RAND_READ, "rr"],
  [VM_DONTCOPY, "dc"],
  [VM_DONTEXPAND, "de"],
  [VM_ACCOUNT, "ac"],
  [VM_HUGETLB, "ht"],
  [VM_WIPEONFORK, "wf"],
  [VM_MIXEDMAP, "mm"],
  [VM_HUGEPAGE, "hg"],
  [VM_NOHUGEPAGE, "nh"],
  [VM_MERGEABLE, "mg"],
];

const PAGE_KB = PAGE_SIZE / 1024;

/** Returns the figures of a mapping in kB. */
export function smapsOf(mm: Mm): Smaps[] {
  return mm.vmas().map((vma) => {
    const figures = new Figures();
    figures.addAll(mm, vma);
    return {
      a: pageNumber(vma.start),
      n: (vma.end - vma.start) / PAGE_SIZE,
      prot: permissions(vma),
      ...figures.inKb((vma.flags & VM_LOCKED) !== 0),
      VmFlags: VM_FLAG_NAMES.filter(([bit]) => (vma.flags & bit) !== 0)
        .map(([, name]) => name)
        .join(" "),
    };
  });
}

class Figures {
  private rss = 0;
  private pss = 0;
  private pssDirty = 0;
  private readonly pages = { sharedClean: 0, sharedDirty: 0, privateClean: 0, privateDirty: 0 };
  private referenced = 0;
  private anonymous = 0;
  private swap = 0;
  private huge = 0;
  private ksm = 0;
  private lazyFree = 0;

  addAll(mm: Mm, { start, end }: Vma): void {
    for (let address = start; address < end; address += PAGE_SIZE) {
      const flags = mm.lookupPte(address)?.flags ?? 0;
      if ((flags & PTE_HUGE) !== 0 && (flags & PTE_SPECIAL) === 0) {
        for (const page of mappedHuge(mm, address)) this.add(page);
        this.huge += LARGE_PAGES;
        address += (LARGE_PAGES - 1) * PAGE_SIZE;
        continue;
      }
      if ((flags & PTE_PRESENT) === 0 && (flags & PTE_KIND_MASK) === PTE_KIND_SWAP) this.swap++;
      const page = mapped(mm, address);
      if (page !== null) this.add(page);
    }
  }

  private add(page: Mapped): void {
    this.rss++;
    if (page.anon) this.anonymous++;
    if (page.referenced) this.referenced++;
    if (page.ksm) this.ksm++;
    if (page.free && !page.dirty) this.lazyFree++;
    // Other entries for a page that is not present are unknown, so the page counts as shared, and in full.
    const share = page.counted && page.mapcount > 1 ? 1 / page.mapcount : 1;
    this.pss += share;
    if (page.dirty) this.pssDirty += share;
    const shared = !page.counted || page.mapcount > 1;
    if (shared) this.pages[page.dirty ? "sharedDirty" : "sharedClean"]++;
    else this.pages[page.dirty ? "privateDirty" : "privateClean"]++;
  }

  inKb(locked: boolean): Smaps {
    const kb = (pages: number): number => Math.floor(pages * PAGE_KB);
    return {
      Rss: kb(this.rss),
      Pss: kb(this.pss),
      Pss_Dirty: kb(this.pssDirty),
      Shared_Clean: kb(this.pages.sharedClean),
      Shared_Dirty: kb(this.pages.sharedDirty),
      Private_Clean: kb(this.pages.privateClean),
      Private_Dirty: kb(this.pages.privateDirty),
      Referenced: kb(this.referenced),
      Anonymous: kb(this.anonymous),
      KSM: kb(this.ksm),
      LazyFree: kb(this.lazyFree),
      AnonHugePages: kb(this.huge),
      Swap: kb(this.swap),
      SwapPss: kb(this.swap),
      Locked: locked ? kb(this.pss) : 0,
    };
  }
}
