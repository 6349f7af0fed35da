/** Snapshots of simulations: a line, the state beside the engine as JSON, and the engine's snapshot. */
import { badRange, badType } from "../engine/errors.ts";
import type { Settings } from "./config.ts";
import type { DevicesState } from "./devices.ts";
import type { LedgerState } from "./ledger.ts";
import type { ManagedState } from "./managed-run.ts";
import type { FailedAllocation } from "./report.ts";
import type { TimelineState } from "./time/timeline.ts";

/** What a simulation knows beside its engine. */
export interface SimulationState {
  settings: Settings;
  devices: DevicesState | ManagedState;
  /** The units of the device's accesses, in order, if a bound is asked for. */
  references?: number[] | undefined;
  ledger: LedgerState;
  /** The time model's clock, if there is one. */
  timeline?: TimelineState | undefined;
  failed: FailedAllocation | null;
  growths: number;
  replayed: number;
  fed: number;
  skipped: { kernel: number; unmappable: number };
}

const OP = "Simulation.restore";
const LINE = /^heteromem simulation 5 (\d+)\n/;
/** More bytes than the line has. */
const LINE_MAX = 64;

/** Returns a snapshot's bytes. */
export function packSnapshot(state: SimulationState, engine: Uint8Array): Uint8Array {
  const encoder = new TextEncoder();
  const text = encoder.encode(JSON.stringify(state));
  const line = encoder.encode(`heteromem simulation 5 ${text.length}\n`);
  const bytes = new Uint8Array(line.length + text.length + engine.length);
  bytes.set(line);
  bytes.set(text, line.length);
  bytes.set(engine, line.length + text.length);
  return bytes;
}

/** Takes a snapshot apart. The engine's part is checked when it is restored. */
export function unpackSnapshot(bytes: Uint8Array): { state: SimulationState; engine: Uint8Array } {
  if (!(bytes instanceof Uint8Array)) throw badType(OP, "bytes", "a Uint8Array", bytes);
  const decoder = new TextDecoder();
  const line = LINE.exec(decoder.decode(bytes.subarray(0, LINE_MAX)));
  const end = line === null ? 0 : line[0].length + Number(line[1]);
  try {
    if (line === null || end > bytes.length) throw new SyntaxError("no snapshot");
    const state = JSON.parse(decoder.decode(bytes.subarray(line[0].length, end))) as SimulationState;
    return { state, engine: bytes.subarray(end) };
  } catch {
    throw badRange(OP, "bytes", "a snapshot of a simulation", bytes.length);
  }
}
