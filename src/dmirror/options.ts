import type { DmirrorDevice } from "./device.ts";

/** What a Dmirror is made with. */
export interface DmirrorOptions {
  /** The device to mirror on. Default: a new device, which the mirror closes with itself. */
  device?: DmirrorDevice | undefined;
  /** Bytes of memory of the new device. Default 64 MiB. */
  deviceMemory?: number | undefined;
  /** Pages that are faulted in or snapshotted in one piece. Default 32. */
  faultPages?: number | undefined;
  /** Pages that are migrated in one piece. Default 512. */
  migratePages?: number | undefined;
}
