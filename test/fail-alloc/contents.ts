/**
 * The contents of memory, read without touching it, so that an injected failure meets an unchanged engine.
 */
import { PAGE_SIZE, type Hmm, type Mm } from "../../src/index.ts";
import { contextOf } from "../../src/engine/context.ts";
import { PTE_KIND_MASK, PTE_KIND_SWAP, PTE_PRESENT, PTE_SPECIAL } from "../../assembly/uapi/pte.ts";
import { FOLIO_INDEX, FOLIO_SIZE } from "../../assembly/abi/frame.ts";
import { HDR_FOLIOS, HDR_FRAMES } from "../../assembly/abi/header.ts";
import { encodePage, type PageContent } from "../golden/codec.ts";
import { isPfnMap } from "../golden/state.ts";
import type { EngineWorld } from "../golden/world.ts";

/**
 * Contents by place: `0:17` is page 17 of process 0; `shm 1:0`. A place with unknown contents is left out.
 */
export type Contents = Map<string, PageContent>;

/** Returns the contents of all processes and files. */
export function look(world: EngineWorld): Contents {
  const contents: Contents = new Map();
  for (const [pid, { mm }] of world.processes) {
    if (mm.closed) continue;
    for (const { start, end, file } of mm.vmas()) {
      for (let address = start; address < end; address += PAGE_SIZE) {
        const content = contentAt(world.hmm, mm, address, file !== 0);
        if (content !== undefined) contents.set(`${pid}:${address / PAGE_SIZE}`, content);
      }
    }
  }
  for (const [name, file] of world.files) {
    if (file.closed) continue;
    const bytes = file.read(0, file.size);
    for (let at = 0; at < bytes.length; at += PAGE_SIZE) {
      contents.set(`${name}:${at / PAGE_SIZE}`, encodePage(bytes.subarray(at, at + PAGE_SIZE)));
    }
  }
  return contents;
}

/** Returns the contents of a page; the file has them where its mapping has no entry. */
function contentAt(hmm: Hmm, mm: Mm, address: number, ofFile: boolean): PageContent | undefined {
  const entry = mm.lookupPte(address);
  if (entry === null) return ofFile ? undefined : 0;
  const { flags, pfn } = entry;
  if ((flags & PTE_SPECIAL) !== 0) return isPfnMap(mm, address) ? undefined : 0;
  const swapped = (flags & PTE_PRESENT) === 0 && (flags & PTE_KIND_MASK) === PTE_KIND_SWAP;
  return encodePage(frame(hmm, swapped ? cachedPage(hmm, pfn) || pfn : pfn));
}

/** Returns the page in the swap cache for a slot, or 0. */
function cachedPage(hmm: Hmm, slot: number): number {
  const { mem } = contextOf("look", hmm);
  return mem.u32(mem.header(HDR_FOLIOS) + slot * FOLIO_SIZE + FOLIO_INDEX);
}

function frame(hmm: Hmm, pfn: number): Uint8Array {
  const { mem } = contextOf("look", hmm);
  const at = mem.header(HDR_FRAMES) + pfn * PAGE_SIZE;
  return mem.bytes.subarray(at, at + PAGE_SIZE);
}

/**
 * Returns what processes read in all their memory, signals included. The reads change the engine for good.
 */
export function readAll(world: EngineWorld): Contents {
  const contents: Contents = new Map();
  const buffer = new Uint8Array(PAGE_SIZE);
  for (const [pid, { mm }] of world.processes) {
    if (mm.closed) continue;
    for (const { start, end } of mm.vmas()) {
      for (let address = start; address < end; address += PAGE_SIZE) {
        if (isPfnMap(mm, address)) continue;
        let content: PageContent;
        try {
          content = encodePage(mm.read(address, buffer));
        } catch (error) {
          content = String(error).replace(/ at .*/, "");
        }
        contents.set(`${pid}:${address / PAGE_SIZE}`, content);
      }
    }
  }
  return contents;
}
