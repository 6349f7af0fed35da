import {
  VMA_END,
  VMA_FILE,
  VMA_FLAGS,
  VMA_GENERATION,
  VMA_MM,
  VMA_NEXT,
  VMA_PGOFF,
  VMA_START,
} from "../../assembly/abi/object.ts";
import { RESOURCE_VMA } from "../../assembly/abi/pool.ts";
import { VM_ACCESS, VM_HUGETLB, VM_SPECIAL } from "../../assembly/uapi/vm.ts";
import type { Context } from "../engine/context.ts";
import type { Mm } from "./mm.ts";

/** Flags of mappings that migrate_vma refuses. */
const VM_REFUSED = VM_SPECIAL | VM_HUGETLB;

/**
 * A handle of one mapping (`struct vm_area_struct`). The mapping lives in the core; the handle knows when it has gone
 * (unmapped, split away or merged): then `stale` is true and everything else throws TypeError. Handles need not be
 * closed.
 */
export class Vma {
  readonly mm: Mm;
  readonly #ctx: Context;
  /** @internal The vma's address in linear memory. */
  readonly pointer: number;
  readonly #generation: number;

  /** @internal */
  constructor(mm: Mm, ctx: Context, pointer: number) {
    this.mm = mm;
    this.#ctx = ctx;
    this.pointer = pointer;
    this.#generation = ctx.mem.u32(pointer + VMA_GENERATION);
  }

  /** Whether the mapping that this handle names is gone. Look it up again with `mm.findVma`. */
  get stale(): boolean {
    const { mem } = this.#ctx;
    return (
      mem.u32(this.pointer + VMA_GENERATION) !== this.#generation ||
      mem.u32(this.pointer + VMA_MM) !== this.mm.id
    );
  }

  /** First byte, a page address. */
  get start(): number {
    return this.#ctx.mem.u64(this.#alive("vma.start") + VMA_START);
  }

  /** End, exclusive, a page address. */
  get end(): number {
    return this.#ctx.mem.u64(this.#alive("vma.end") + VMA_END);
  }

  /** VM_* bits. */
  get flags(): number {
    return this.#ctx.mem.u32(this.#alive("vma.flags") + VMA_FLAGS);
  }

  /** PROT_* bits. */
  get prot(): number {
    return this.flags & VM_ACCESS;
  }

  /** Offset in the file (for private anonymous memory: in the address space at the time of mmap), in pages. */
  get pgoff(): number {
    return this.#ctx.mem.u64(this.#alive("vma.pgoff") + VMA_PGOFF);
  }

  /** The id of the file that it maps (shared anonymous memory has one, too); 0: private anonymous memory. */
  get file(): number {
    return this.#ctx.mem.u32(this.#alive("vma.file") + VMA_FILE);
  }

  /** Whether HMM refuses it: hugetlb, VM_IO, VM_PFNMAP, VM_MIXEDMAP or VM_DONTEXPAND. */
  get special(): boolean {
    return (this.flags & VM_REFUSED) !== 0;
  }

  /** Length in pages. */
  get npages(): number {
    return (this.end - this.start) / 4096;
  }

  /** The next mapping of the address space, or null. */
  get next(): Vma | null {
    const pointer = this.#ctx.mem.u32(this.#alive("vma.next") + VMA_NEXT);
    return pointer === 0 ? null : new Vma(this.mm, this.#ctx, pointer);
  }

  /** @internal Throws if stale; `op` is what was tried. */
  check(op: string): this {
    this.#alive(op);
    return this;
  }

  #alive(op: string): number {
    if (this.stale)
      throw new TypeError(`${op}: vma is stale: its mapping is gone; look it up again with mm.findVma()`);
    return this.pointer;
  }
}

/** @internal The vmas of an mm in address order, from the pointer of the first one. */
export function listVmas(mm: Mm, ctx: Context, first: number): Vma[] {
  const list: Vma[] = [];
  const limit = ctx.mem.pool(RESOURCE_VMA, 8);
  for (let at = first; at !== 0 && list.length < limit; at = ctx.mem.u32(at + VMA_NEXT)) {
    list.push(new Vma(mm, ctx, at));
  }
  return list;
}
