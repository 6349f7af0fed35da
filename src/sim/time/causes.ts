/** What a simulated machine spends its time on. */

/** What works: each does one thing at a time. */
export const RESOURCES = ["cpu", "device", "driver", "toDevice", "toHost", "peer"] as const;
export type Resource = (typeof RESOURCES)[number];

/** The causes, in the order of reports: who is busy, what the text calls it, and whose error it has. */
export const CAUSES = {
  cpuWork: { resource: "cpu", text: "CPU accesses", error: "cpu" },
  cpuFault: { resource: "cpu", text: "CPU faults", error: "cpu" },
  compute: { resource: "device", text: "device accesses", error: "device" },
  deviceMemory: { resource: "device", text: "device memory", error: "device" },
  remote: { resource: "device", text: "device accesses to RAM", error: "device" },
  peerAccess: { resource: "device", text: "device accesses to other devices", error: "device" },
  translation: { resource: "device", text: "address translation", error: "device" },
  fetch: { resource: "driver", text: "fetching of fault groups", error: "group" },
  preprocess: { resource: "driver", text: "pre-processing of fault groups", error: "group" },
  fixed: { resource: "driver", text: "fixed part of fault groups", error: "group" },
  fault: { resource: "driver", text: "faults in groups", error: "group" },
  unmap: { resource: "driver", text: "unmapping in fault groups", error: "group" },
  block: { resource: "driver", text: "blocks in fault groups", error: "group" },
  populate: { resource: "driver", text: "populating device memory", error: "group" },
  transfer: { resource: "driver", text: "transfers in fault groups", error: "group" },
  map: { resource: "driver", text: "mapping in fault groups", error: "group" },
  replay: { resource: "driver", text: "replays of fault groups", error: "group" },
  invalidation: { resource: "driver", text: "invalidations", error: "group" },
  throttle: { resource: "driver", text: "throttled faults", error: "group" },
  toDevice: { resource: "toDevice", text: "link to the device", error: "toDevice" },
  toHost: { resource: "toHost", text: "link to RAM", error: "toHost" },
  peer: { resource: "peer", text: "link between devices", error: "toDevice" },
} as const satisfies Record<string, { resource: Resource; text: string; error: string }>;

export type TimeCause = keyof typeof CAUSES;

/** The causes' names. */
export const CAUSE_NAMES = Object.keys(CAUSES) as TimeCause[];
