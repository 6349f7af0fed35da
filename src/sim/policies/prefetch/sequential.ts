import { run, type PrefetchPolicy } from "./prefetcher.ts";

const PAGES = 16;

/** The next N pages: A. J. Smith, "Sequential program prefetching in memory hierarchies", 1978. */
export const sequential: PrefetchPolicy = {
  about: "the next N pages",
  parameter: { about: "pages that come along", min: 1, max: 4096 },
  pages: ({ page }, n = PAGES) => run(page + 1, n),
};
