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
import { POOL_CAPACITY, RESOURCE_VMA } from "../../assembly/abi/pool.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { VM_ACCESS, VM_HUGETLB, VM_READ, VM_SPECIAL } from "../../assembly/uapi/vm.ts";
import type { Context } from "../engine/context.ts";
import { hex } from "../engine/errors.ts";
import type { Forward } from "../engine/forward.ts";
import { count, inspect, line, span } from "../engine/inspect.ts";
import type { Prot, VmFlags } from "../engine/protocol.ts";

/**
 * A handle of one mapping (`struct vm_area_struct`). The mapping itself lives in the core. Once it is
 * unmapped, split away or merged, `stale` is true and every other property throws TypeError; look the mapping
 * up again with `mm.findVma`. A handle holds nothing and need not be closed.
 */
export class Vma {
  /** The address space that the mapping belongs to. */
  readonly mm: Forward["Mm"];
  readonly #ctx: Context;
  /** The vma's address in linear memory. */
  readonly #pointer: number;
  readonly #generation: number;

  private constructor(mm: Forward["Mm"], ctx: Context, pointer: number) {
    this.mm = mm;
    this.#ctx = ctx;
    this.#pointer = pointer;
    this.#generation = ctx.mem.u32(pointer + VMA_GENERATION);
  }

  /** @internal The handle of the vma at `pointer`, an address in linear memory. */
  static at(mm: Forward["Mm"], ctx: Context, pointer: number): Vma {
    return new Vma(mm, ctx, pointer);
  }

  /** @internal The vmas of an mm in address order, from the pointer of the first one. */
  static list(mm: Forward["Mm"], ctx: Context, first: number): Vma[] {
    const list: Vma[] = [];
    const limit = ctx.mem.pool(RESOURCE_VMA, POOL_CAPACITY);
    for (let at = first; at !== 0 && list.length < limit; at = ctx.mem.u32(at + VMA_NEXT)) {
      list.push(new Vma(mm, ctx, at));
    }
    return list;
  }

  /** Whether the mapping that this handle names is gone. */
  get stale(): boolean {
    const { mem } = this.#ctx;
    return (
      mem.u32(this.#pointer + VMA_GENERATION) !== this.#generation ||
      mem.u32(this.#pointer + VMA_MM) !== this.mm.id
    );
  }

  /** The first byte, a page address. */
  get start(): number {
    return this.#ctx.mem.u64(this.#alive("vma.start") + VMA_START);
  }

  /** The end, exclusive, a page address. */
  get end(): number {
    return this.#ctx.mem.u64(this.#alive("vma.end") + VMA_END);
  }

  /** VM_* bits. */
  get flags(): VmFlags {
    return this.#ctx.mem.u32(this.#alive("vma.flags") + VMA_FLAGS);
  }

  /** PROT_* bits. */
  get prot(): Prot {
    return this.flags & VM_ACCESS;
  }

  /**
   * The offset, in pages, in the file; for private anonymous memory, in the address space at the time of
   * mmap.
   */
  get pgoff(): number {
    return this.#ctx.mem.u64(this.#alive("vma.pgoff") + VMA_PGOFF);
  }

  /** The id of the mapped file, which shared anonymous memory has too; 0 for private anonymous memory. */
  get file(): number {
    return this.#ctx.mem.u32(this.#alive("vma.file") + VMA_FILE);
  }

  /** Whether HMM refuses the mapping: hugetlb, VM_IO, VM_PFNMAP, VM_MIXEDMAP or VM_DONTEXPAND. */
  get special(): boolean {
    return (this.flags & (VM_SPECIAL | VM_HUGETLB)) !== 0;
  }

  /** The length in pages. */
  get npages(): number {
    return (this.end - this.start) / PAGE_SIZE;
  }

  /** The next mapping of the address space in address order, or null. */
  get next(): Vma | null {
    const pointer = this.#ctx.mem.u32(this.#alive("vma.next") + VMA_NEXT);
    return pointer === 0 ? null : new Vma(this.mm, this.#ctx, pointer);
  }

  /** @internal */
  [inspect](): string {
    return line("Vma", this.stale && "stale", () => [
      span(this.start, this.end),
      count(this.npages, "page"),
      `prot ${this.prot}`,
      `flags ${hex(this.flags)}`,
      this.file > 0 && `file ${this.file}`,
      `mm ${this.mm.id}`,
    ]);
  }

  /** @internal Returns the handle itself. Throws TypeError, naming the operation `op`, if it is stale. */
  check(op: string): this {
    this.#alive(op);
    return this;
  }

  /** @internal Whether the mapping, which is not stale, contains [start, end), and HMM may read it. */
  serves(start: number, end: number): boolean {
    const { mem } = this.#ctx;
    const at = this.#pointer;
    const flags = mem.u32(at + VMA_FLAGS) & (VM_SPECIAL | VM_HUGETLB | VM_READ);
    return flags === VM_READ && this.contains(start, end);
  }

  /** @internal Whether it is the handle of the vma at `pointer`, and not stale. */
  isAt(pointer: number): boolean {
    return this.#pointer === pointer && !this.stale;
  }

  /** @internal Whether the mapping, which is not stale, contains [start, end), which is not empty. */
  contains(start: number, end: number): boolean {
    const { mem } = this.#ctx;
    return start >= mem.u64(this.#pointer + VMA_START) && end <= mem.u64(this.#pointer + VMA_END);
  }

  #alive(op: string): number {
    if (this.stale)
      throw new TypeError(`${op}: vma is stale: its mapping is gone; look it up again with mm.findVma()`);
    return this.#pointer;
  }
}
