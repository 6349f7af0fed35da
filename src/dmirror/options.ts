import type { DmirrorDevice } from "./device.ts";

export interface DmirrorOptions {
  /** The device to mirror on. Default: a new one, which is closed with the mirror. */
  device?: DmirrorDevice;
  /** Bytes of memory of the new device. */
  deviceMemory?: number;
  /** Pages that are faulted in or looked at in one piece. Default 32. */
  faultPages?: number;
  /** Pages that are migrated in one piece. Default 512. */
  migratePages?: number;
}
