/** What a simulation consists of: an engine with an address space, devices, and a clock. */
import type { Hmm, HmmConfig, Mm } from "../index.ts";
import type { Settings } from "./config.ts";
import { deviceMemoryFor } from "./device-driver.ts";
import { restoreEngine } from "./driver/engine-mover.ts";
import { SimDevices, type DevicesState } from "./devices.ts";
import { ManagedRun, type ManagedState } from "./managed-run.ts";
import type { Future } from "./policies/evict/future.ts";
import type { SimulationState } from "./snapshot.ts";
import { Timeline } from "./time/timeline.ts";

/** An engine with what a simulation has in it: devices under HMM, or managed memory. */
export interface World {
  hmm: Hmm;
  mm: Mm;
  devices: SimDevices | ManagedRun;
  /** The time model's clock; null: there is none. */
  timeline: Timeline | null;
}

/** Returns what an engine is made with that has the memory for the settings. */
export function engineConfigOf({ systemMemory, devices, deviceMemory, backing }: Settings): HmmConfig {
  return { systemMemory, deviceMemory: devices * deviceMemoryFor(deviceMemory), backing };
}

/** Makes what the settings ask for in an engine that has the memory for it. */
export function makeWorld(hmm: Hmm, settings: Settings, future?: Future): World {
  const mm = hmm.createMm();
  const { managed, time } = settings;
  const timeline = time && new Timeline(time);
  const devices =
    managed === null
      ? SimDevices.add(hmm, mm, settings, future)
      : new ManagedRun({ hmm, mm }, settings, managed, timeline);
  return { hmm, mm, devices, timeline };
}

/** Restores it from a snapshot of the engine, and from the state beside it. */
export function restoreWorld(
  engine: Uint8Array,
  settings: Settings,
  state: SimulationState,
  future: Future | undefined,
): World {
  const timeline = settings.time && new Timeline(settings.time, state.timeline);
  const { managed } = settings;
  if (managed === null) {
    const world = SimDevices.restore(engine, settings, state.devices as DevicesState, future);
    return { ...world, timeline };
  }
  const restored = restoreEngine(engine, settings.devices);
  const devices = new ManagedRun(restored, settings, managed, timeline, state.devices as ManagedState);
  return { hmm: restored.hmm, mm: restored.mm, devices, timeline };
}
