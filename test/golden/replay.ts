/** Replays scenarios and collects the differences. */
import { COLUMNS, compareRecords, type Column, type Difference } from "./compare.ts";
import type { GoldenRecord, Operation, Scenario } from "./records.ts";

/** The target of a replay: the engine, or a stand-in in tests. */
export interface World {
  /** Performs an operation, or reads the state before the first, and returns the resulting line. */
  perform(operation: Operation): GoldenRecord;
  /** Throws if an invariant of the engine is broken. */
  verify(): void;
  /** Frees everything. */
  close(): void;
}

export type WorldMaker = (scenario: Scenario) => World;

export interface Mismatch extends Difference {
  scenario: string;
  /** The operation's number; -1 is the start. */
  index: number;
  op: string;
  args: (number | string)[];
}

export interface ScenarioResult {
  scenario: Scenario;
  /** Number of operations performed, without the start. */
  operations: number;
  mismatches: Mismatch[];
  details: Mismatch[];
  /** Number of fields compared. */
  compared: Record<Column, number>;
  /** The engine's lines. */
  lines: GoldenRecord[];
}

/** Number of detail fields compared. */
export function detailFields({ compared }: ScenarioResult): number {
  return COLUMNS.reduce((sum, column) => sum + (column === "strict" ? 0 : compared[column]), 0);
}

/** Called after each line with the record and its differences. */
export type LineListener = (record: GoldenRecord, strict: Mismatch[], detail: Mismatch[]) => void;

/**
 * Replays one scenario and collects strict differences to its end, unless the engine throws or verify()
 * fails: what follows would have no meaning.
 */
export function replayScenario(
  scenario: Scenario,
  makeWorld: WorldMaker,
  onLine?: LineListener,
): ScenarioResult {
  const result: ScenarioResult = {
    scenario,
    operations: 0,
    mismatches: [],
    details: [],
    compared: { strict: 0, vma: 0, pm: 0, flt: 0, smaps: 0, kpf: 0 },
    lines: [],
  };
  const world = makeWorld(scenario);
  let failed = false;
  try {
    for (const record of scenario.lines) {
      const step = replayLine(record, world, result);
      if (record.i >= 0) result.operations++;
      onLine?.(record, step.strict, step.detail);
      failed = step.failed;
      if (failed) break;
    }
  } finally {
    closeWorld(world, failed, scenario, result);
  }
  return result;
}

interface Step {
  strict: Mismatch[];
  detail: Mismatch[];
  failed: boolean;
}

function replayLine(record: GoldenRecord, world: World, result: ScenarioResult): Step {
  const { s, i, p, op, args = [], desc, win, kernel } = record;
  const at = (difference: Difference): Mismatch => ({ scenario: s, index: i, op, args, ...difference });
  const step: Step = { strict: [], detail: [], failed: false };
  let stage = "perform";
  try {
    const line = world.perform({ s, i, p, op, args: record.args, desc, win, kernel });
    result.lines.push(line);
    const comparison = compareRecords(record, line);
    step.strict.push(...comparison.strict.map(at));
    step.detail.push(...comparison.detail.map(at));
    for (const column of COLUMNS) result.compared[column] += comparison.compared[column];
    stage = "verify";
    world.verify();
  } catch (error) {
    step.failed = true;
    step.strict.push(at({ field: stage, expected: "no error", got: describeError(error) }));
  }
  result.mismatches.push(...step.strict);
  result.details.push(...step.detail);
  return step;
}

/** Closes a world, which checks that nothing is in use. After a failure the check has no meaning. */
function closeWorld(world: World, failed: boolean, scenario: Scenario, result: ScenarioResult): void {
  try {
    world.close();
  } catch (error) {
    if (failed) return;
    const index = scenario.lines.at(-1)?.i ?? -1;
    const difference = { field: "close", expected: "no error", got: describeError(error) };
    result.mismatches.push({ scenario: scenario.name, index, op: "(end)", args: [], ...difference });
  }
}

function describeError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

// ── Which scenarios run ───────────────────────────────────────────────────────────────────────────────────

export interface Selection {
  run: Scenario[];
  /** Scenarios that need an unsupported tag, with the first such tag. */
  notRun: { scenario: Scenario; needs: string[] }[];
}

/**
 * Selects scenarios. `notBuilt` names unsupported tags, `only` a scenario or a part of its name, `tags` the
 * tags that a scenario may need. Scenarios that `only` and `tags` leave out count neither as run nor as not
 * run.
 */
export function selectScenarios(
  scenarios: Scenario[],
  { notBuilt, only, tags }: { notBuilt: readonly string[]; only?: string; tags?: readonly string[] },
): Selection {
  let wanted = scenarios;
  if (only !== undefined) {
    const exact = scenarios.filter(({ name }) => name === only);
    wanted = exact.length > 0 ? exact : scenarios.filter(({ name }) => name.includes(only));
  }
  if (tags !== undefined)
    wanted = wanted.filter((scenario) => scenario.tags.every((tag) => tags.includes(tag)));
  const selection: Selection = { run: [], notRun: [] };
  for (const scenario of wanted) {
    const needs = scenario.tags.filter((tag) => notBuilt.includes(tag) || tag.startsWith("unknown "));
    if (needs.length === 0) selection.run.push(scenario);
    else selection.notRun.push({ scenario, needs });
  }
  return selection;
}
