import { run, type PrefetchPolicy } from "./prefetcher.ts";

/** Pages of a block of 64 KiB. */
export const BLOCK = 16;

/** Nothing comes along: demand paging. */
export const none: PrefetchPolicy = {
  about: "nothing",
  pages: () => [],
};

/** The rest of the 64 KiB, as drivers of GPUs move memory. */
export const cluster64K: PrefetchPolicy = {
  about: "the rest of the aligned 64 KiB around the page, clipped to its mapping",
  pages: ({ page }) => run(page - (page % BLOCK), BLOCK),
};

/** UVM-Smart's sequential-local prefetcher (ISCA 2019): the rest of the 64 KiB block. */
export const sl: PrefetchPolicy = {
  about: "the rest of the 64 KiB block around the page",
  pages: cluster64K.pages,
};
