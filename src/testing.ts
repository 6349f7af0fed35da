/** What the author of a driver needs to test it. */
export { DelayedDevice, type DelayedDeviceOptions, type PendingCopy } from "./testing/delayed-device.ts";
export { Random } from "./testing/random.ts";
