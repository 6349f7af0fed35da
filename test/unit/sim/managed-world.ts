/** Two devices with managed memory and a range, for the suites of several such devices. */

export const MIB = 2 ** 20;
export const PAGE = 4096;
export const BASE = 0x40000000;
const RANGE = { name: "a", start: BASE, end: BASE + 8 * MIB };
/** Two devices without a link between them. */
export const TWO = {
  memoryModel: "managed",
  devices: 2,
  systemMemory: "32MiB",
  deviceMemory: "4MiB",
  prefetch: "none",
  ranges: [RANGE],
} as const;
/** The same with a link. */
export const LINKED = { ...TWO, peers: "all" } as const;
