/**
 * Scenarios in which the engine differs from the kernel, once each. The kernel drops a locked page's last
 * reference only at the next drain of its per-CPU batches, which the engine does not have (docs/linux.md).
 */
export const KNOWN_DIFFERENCES: readonly string[] = ["n-coh-003"];
