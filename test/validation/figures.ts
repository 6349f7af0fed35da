/** Published figures of real GPUs, and of a simulator's logs, that the page compares with. */

/** A program on a GTX 1080 Ti whose memory holds 100 % of its data, or less (nvprof). */
export interface Oversubscribed {
  program: "bfs" | "fdtd" | "hotspot" | "sssp";
  percent: number;
  /** MiB of device memory that are left. */
  left: number;
  cpuFaults: number;
  groups: number;
  /** Microseconds of a group, as nvprof's table gives them. */
  usPerGroup: number;
  /** Transfers, MiB and GiB/s to the device, and back. */
  toDevice: [count: number, mib: number, gibPerSecond: number];
  toHost: [count: number, mib: number, gibPerSecond: number];
  kernelsMs: number;
}

const row = (
  name: string,
  [left, cpuFaults, groups, usPerGroup]: [number, number, number, number],
  toDevice: [number, number, number],
  toHost: [number, number, number],
  kernelsMs: number,
): Oversubscribed => {
  const [program, percent] = name.split(" ");
  return {
    program: program as Oversubscribed["program"],
    percent: Number(percent),
    left,
    cpuFaults,
    groups,
    usPerGroup,
    toDevice,
    toHost,
    kernelsMs,
  };
};

export const GTX_1080_TI: readonly Oversubscribed[] = [
  row("bfs 100", [9.8, 37, 5305, 560], [317270, 6397, 7.64], [14751, 6479, 11.99], 2180.6),
  row("bfs 125", [7.8, 37, 18219, 723], [1607551, 28407, 7.09], [89268, 28259, 11.91], 9718.2),
  row("bfs 150", [6.5, 37, 72888, 601], [5476412, 91268, 6.88], [342462, 90792, 11.86], 33502),
  row("fdtd 100", [18.1, 73, 205, 182], [1360, 102.3, 9.68], [84, 92.3, 12.18], 37.5),
  row("fdtd 125", [14.4, 68, 331, 190], [2247, 176.8, 9.74], [116, 168.8, 12.19], 62.6),
  row("fdtd 150", [12.0, 63, 364, 200], [2833, 215.0, 9.82], [156, 210.9, 12.2], 71.0),
  row("hotspot 100", [12.0, 36, 99, 198], [350, 44.0, 10.11], [43, 42.0, 12.17], 20.3),
  row("hotspot 125", [9.0, 31, 169, 177], [1034, 56.2, 9.24], [152, 56.2, 12.02], 29.7),
  row("hotspot 150", [8.0, 31, 187, 168], [1319, 63.3, 9.11], [194, 63.3, 11.97], 31.6),
  row("sssp 100", [28.0, 72, 395, 295], [7682, 291.0, 8.66], [294, 279.0, 12.14], 88.7),
  row("sssp 125", [22.0, 72, 416, 312], [8757, 331.8, 8.77], [416, 325.8, 12.11], 98.5),
  row("sssp 150", [18.0, 72, 343, 314], [7629, 267.5, 8.51], [708, 436.2, 12.06], 131.4),
];

/** Slowdowns at 125 % and 150 %, against 100 %. */
export const SLOWDOWNS: Readonly<Record<Oversubscribed["program"], [number, number]>> = {
  hotspot: [1.46, 1.55],
  fdtd: [1.67, 1.89],
  bfs: [4.5, 15.4],
  sssp: [1.1, 1.5],
};

/** The CUDA tutorial's `add` by one thread: microseconds to the device and back, ms of 12 groups. */
export const ADD: readonly [gpu: string, toDevice: number, toHost: number, groups: number][] = [
  ["V100-SXM2", 843.9, 357.3, 4.244],
  ["T4", 806.5, 362.5, 2.809],
  ["TITAN Xp", 674.4, 324.0, 3.497],
  ["GTX 1060 6 GB", 703.65, 331.55, 2.298],
];

/** Hotspot in UVM-Smart's logs: config, then faults, pages in, dirty out, clean out, fetched again. */
export const UVM_SMART: readonly [
  name: string,
  config: Record<string, string | number>,
  counts: readonly number[],
][] = [
  ["no prefetch, 1024 MB", { deviceMemory: "16MiB", prefetch: "none" }, [3072, 3072, 0, 0, 0]],
  ["sl, 1024 MB", { deviceMemory: "16MiB", prefetch: "sl" }, [192, 3072, 0, 0, 0]],
  ["tbn, 1024 MB", { deviceMemory: "16MiB", prefetch: "tbn" }, [36, 3072, 0, 0, 0]],
  [
    "tbn, lru-2m, 10.9091 MB",
    { deviceFrames: 2792, prefetch: "tbn", evict: "lru-2m" },
    [72, 6144, 2560, 1024, 3072],
  ],
  [
    "tbn, none when full, tbn, 10.9091 MB",
    { deviceFrames: 2792, prefetch: "tbn", prefetchFull: "none", evict: "tbn" },
    [3363, 6144, 2560, 1024, 3072],
  ],
];

/** A Titan V's batches, without prefetch, where one warp adds two vectors with a page a thread. */
export const TITAN_V = [56, 8, 32];
