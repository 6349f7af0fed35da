/**
 * What the author of a driver or of a policy needs to test it.
 *
 * @module heteromem/testing
 */
export { checkEvictPolicy, type CheckEvictPolicyOptions } from "./testing/check-evict-policy.ts";
export { Checkpoint } from "./testing/checkpoint.ts";
export { DelayedDevice, type DelayedDeviceOptions, type PendingCopy } from "./testing/delayed-device.ts";
export { explore, type ExploreOptions, type ExploreResult } from "./testing/explore.ts";
export { ScheduleError } from "./testing/explore-error.ts";
export { Lock, waitFor, type LockGuard } from "./testing/explore-lock.ts";
export type { Agent, ScheduleStep } from "./testing/explore-run.ts";
export { Random } from "./engine/random.ts";
