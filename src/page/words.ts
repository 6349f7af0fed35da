/** The 32-bit words that name pages: hmm_pfn, and migrate_pfn (drawn in assembly/uapi/pfn.ts). */
import { PAGE_SHIFT, PMD_SHIFT } from "../../assembly/uapi/page.ts";
import {
  HMM_PFN_ERROR,
  HMM_PFN_ORDER_MASK,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  MIGRATE_PFN_VALID,
  PFN_MASK,
} from "../../assembly/uapi/pfn.ts";
import { checkInteger, checkWord } from "../engine/errors.ts";
import type { HmmPfnFlags } from "../engine/protocol.ts";

/** A page, named by its page frame number; 0 is no page. */
export type Page = number;

/** Refuses anything but a page frame number that fits a word. */
function checkPfn(op: string, page: Page): Page {
  return typeof page === "number" && (page & PFN_MASK) === page
    ? page
    : checkInteger(op, "page", page, 0, PFN_MASK);
}

/**
 * Returns the page of an hmm_pfn word, or 0 unless the word is VALID and has no ERROR (hmm_pfn_to_page).
 * Throws TypeError and RangeError for anything but a 32-bit word.
 */
export function hmmPfnToPage(word: number): Page {
  checkWord("hmmPfnToPage", "word", word);
  return (word & HMM_PFN_VALID) !== 0 && (word & HMM_PFN_ERROR) === 0 ? word & PFN_MASK : 0;
}

/** Returns whether an hmm_pfn word names a page. Throws as {@link hmmPfnToPage}. */
export function hmmPfnValid(word: number): boolean {
  checkWord("hmmPfnValid", "word", word);
  return (word & HMM_PFN_VALID) !== 0;
}

/** Returns whether the page of an hmm_pfn word may be written. Throws as {@link hmmPfnToPage}. */
export function hmmPfnWritable(word: number): boolean {
  checkWord("hmmPfnWritable", "word", word);
  return (word & HMM_PFN_WRITE) !== 0;
}

/**
 * Makes an hmm_pfn word that names `page`: VALID, and with the given HMM_PFN_* flags. Throws TypeError and
 * RangeError for a page that does not fit 27 bits, or flags that are no 32-bit word.
 */
export function hmmPfn(page: Page, flags: HmmPfnFlags = 0): number {
  checkWord("hmmPfn", "flags", flags);
  return (checkPfn("hmmPfn", page) | HMM_PFN_VALID | flags) >>> 0;
}

/**
 * Returns how far the CPU's mapping of the page goes (hmm_pfn_to_map_order), as a power of two of pages: 0
 * (one page) or 9 (2 MiB). Throws as {@link hmmPfnToPage}.
 */
export function hmmPfnToMapOrder(word: number): number {
  checkWord("hmmPfnToMapOrder", "word", word);
  return (word & HMM_PFN_ORDER_MASK) === 0 ? 0 : PMD_SHIFT - PAGE_SHIFT;
}

/**
 * Makes the word that a driver puts into dst for its page (migrate_pfn). Throws TypeError and RangeError for
 * a page that does not fit 27 bits.
 */
export function migratePfn(page: Page): number {
  return (checkPfn("migratePfn", page) | MIGRATE_PFN_VALID) >>> 0;
}

/**
 * Returns the page of a word of src or dst, or 0 unless the word is VALID (migrate_pfn_to_page). Throws as
 * {@link hmmPfnToPage}.
 */
export function migratePfnToPage(word: number): Page {
  checkWord("migratePfnToPage", "word", word);
  return (word & MIGRATE_PFN_VALID) !== 0 ? word & PFN_MASK : 0;
}
