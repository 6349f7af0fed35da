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
  translation: { resource: "device", text: "address translation", error: "device" },
  fetch: { resource: "driver", text: "fault groups: fetch", error: "group" },
  preprocess: { resource: "driver", text: "fault groups: pre-process", error: "group" },
  fixed: { resource: "driver", text: "fault groups: fixed part", error: "group" },
  fault: { resource: "driver", text: "fault groups: each fault", error: "group" },
  unmap: { resource: "driver", text: "fault groups: unmap", error: "group" },
  block: { resource: "driver", text: "fault groups: each block", error: "group" },
  populate: { resource: "driver", text: "fault groups: populate", error: "group" },
  transfer: { resource: "driver", text: "fault groups: each transfer", error: "group" },
  map: { resource: "driver", text: "fault groups: map", error: "group" },
  replay: { resource: "driver", text: "fault groups: replay", error: "group" },
  invalidation: { resource: "driver", text: "invalidations", error: "group" },
  throttle: { resource: "driver", text: "throttled faults", error: "group" },
  toDevice: { resource: "toDevice", text: "link to the device", error: "toDevice" },
  toHost: { resource: "toHost", text: "link to RAM", error: "toHost" },
  peer: { resource: "peer", text: "link between devices", error: "toDevice" },
} as const satisfies Record<string, { resource: Resource; text: string; error: string }>;

export type TimeCause = keyof typeof CAUSES;

/** The causes' names. */
export const CAUSE_NAMES = Object.keys(CAUSES) as TimeCause[];
