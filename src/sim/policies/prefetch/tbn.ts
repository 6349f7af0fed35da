import { BLOCK } from "./block.ts";
import { run, type PrefetchPolicy } from "./prefetcher.ts";

/** Blocks of a region of 2 MiB. */
const BLOCKS = 32;
const REGION = BLOCKS * BLOCK;

/**
 * UVM-Smart's tree-based neighborhood prefetcher (ISCA 2019). The 64 KiB block around the page comes; then,
 * from the block to the root of the region's tree, a node with more than half of its pages there is
 * completed, and counts as complete for its parent. Completion brings the blocks without a page only.
 */
export const tbn: PrefetchPolicy = {
  about:
    "the 64 KiB block around the page, and what completes nodes of the tree that are more than half there",
  pages({ page, isThere }) {
    const region = page - (page % REGION);
    const block = Math.floor((page - region) / BLOCK);
    const valid = run(region, BLOCKS).map((_, i) =>
      i === block ? BLOCK : run(region + i * BLOCK, BLOCK).filter(isThere).length,
    );
    const empty = valid.map((pages) => pages === 0);
    let completed = 1;
    for (let size = 2; size <= BLOCKS; size *= 2) {
      const first = block - (block % size);
      const pages = valid.slice(first, first + size).reduce((sum, one) => sum + one, 0);
      if (pages <= (size * BLOCK) / 2) continue;
      valid.fill(BLOCK, first, first + size);
      completed = size;
    }
    const first = block - (block % completed);
    return run(first, completed)
      .filter((i) => i === block || empty[i])
      .flatMap((i) => run(region + i * BLOCK, BLOCK));
  },
};
