/**
 * `heteromem/dmirror`: the reference driver, the counterpart of the kernel's HMM test driver
 * (lib/test_hmm.c).
 *
 * @module heteromem/dmirror
 */
export { Dmirror } from "./dmirror/dmirror.ts";
export { DmirrorDevice, type DmirrorDeviceOptions } from "./dmirror/device.ts";
export type { DmirrorOptions } from "./dmirror/options.ts";
export type { DmirrorResult } from "./dmirror/result.ts";
export * from "./dmirror/prot.ts";
