/**
 * heteromem/lab: a lab of the HMM protocol, as a model and as a web component. Importing it defines the
 * element.
 *
 * @module heteromem/lab
 */
import { defineLab } from "./lab/element/element.tsx";

export { BUGS, type Bug, type LabConfig } from "./lab/config.ts";
export { Lab, type LabStep, type Program } from "./lab/lab.ts";
export {
  describeOperation,
  formatOperation,
  parseOperation,
  VERBS,
  type Agent,
  type Operation,
  type Verb,
} from "./lab/operation.ts";
export { formatPermalink, openPermalink, parsePermalink, type Link } from "./lab/permalink.ts";
export { findRace, type RaceResult } from "./lab/race.ts";
export type { Scenario } from "./lab/scenario.ts";
export { openScenario, SCENARIOS } from "./lab/scenarios.ts";
export type {
  AgentState,
  CpuEntry,
  DeviceEntry,
  DeviceState,
  EntryKind,
  FrameState,
  LabState,
  Level,
  MigrationState,
  ProcessState,
  SlotState,
} from "./lab/state.ts";
export { STEP_TEXTS, type StepId } from "./lab/texts.ts";
export type { StepText } from "./lab/texts-migration.ts";
export { openStop, TOUR, type TourStop } from "./lab/tour.ts";
export { copyAsTypeScript } from "./lab/typescript.ts";
export { HeteromemLab, LAB_ELEMENT } from "./lab/element/element.tsx";

defineLab();
