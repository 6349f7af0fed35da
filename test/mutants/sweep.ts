/** Mutants of sweeps (src/sweep, src/cli/sweep), of the lab (src/lab), and of the step points it looks at. */
import type { Mutant } from "./mutant.ts";

const SWEEP = ["unit/sweep"];
const JOBS = ["unit/queue-jobs"];
const LAB = ["unit/lab", "unit/scenarios"];
const SESSION = ["unit/session"];

export const SWEEPS: readonly Mutant[] = [
  {
    name: "keys-of-a-job-in-any-order",
    file: "src/sweep/canonical.ts",
    before: "fields.map(([key]) => key).sort()",
    after: "fields.map(([key]) => key)",
    ask: SWEEP,
  },
  {
    name: "field-without-a-value-is-in-the-id",
    file: "src/sweep/canonical.ts",
    before: ".filter(([, item]) => item !== undefined)",
    after: ".map(([key, item]) => [key, item ?? null] as const)",
    ask: SWEEP,
  },
  {
    name: "exclude-needs-one-axis-alone",
    file: "src/sweep/expand.ts",
    before: "return Object.entries(entry).every(",
    after: "return Object.entries(entry).some(",
    ask: SWEEP,
  },
  {
    name: "point-that-is-there-twice-runs-twice",
    file: "src/sweep/expand.ts",
    before: "return [...new Map(jobs.map((job) => [canonical(job.point), job])).values()];",
    after: "return jobs;",
    ask: SWEEP,
  },
  {
    name: "first-axis-is-the-fastest",
    file: "src/sweep/expand.ts",
    before: "  return axes.reduce<{ point: Point; set: RunFields }[]>(",
    after: "  return axes.toReversed().reduce<{ point: Point; set: RunFields }[]>(",
    ask: SWEEP,
  },
  {
    name: "shards-overlap",
    file: "src/sweep/manifest.ts",
    before: "index % n === i - 1",
    after: "index % n >= i - 1",
    ask: SWEEP,
  },
  {
    name: "half-a-result-is-done",
    file: "src/sweep/store.ts",
    before: '  if (!text.endsWith("}\\n")) return null;\n',
    after: "",
    ask: SWEEP,
  },
  {
    name: "sweep-with-a-hole-is-merged",
    file: "src/sweep/manifest.ts",
    before: "  if (merged.missing.length === 0)\n",
    after: "",
    ask: [...SWEEP, "cli/sweep", "cli/results"],
  },
  {
    name: "log2-range-ends-early",
    file: "src/sweep/axis-values.ts",
    before: "Math.floor(Math.log2(last / first) * points + 1e-9) + 1",
    after: "Math.floor(Math.log2(last / first) * points + 1e-9)",
    ask: SWEEP,
  },
  {
    name: "strangers-job-under-another-id",
    file: "src/cli/sweep/queue/check-job.ts",
    before: 'if (idOf(content) !== id) throw new Error("refused: the id is not that of the job\'s content");',
    after: "",
    ask: JOBS,
  },
  {
    name: "strangers-job-of-another-version",
    file: "src/cli/sweep/queue/check-job.ts",
    before: 'if (typeof engine === "string" && engine !== this.#version)',
    after: "if (false)",
    ask: JOBS,
  },
  {
    name: "lab-keeps-half-of-the-blocks",
    file: "src/lab/checkpoint.ts",
    before: "    while (at < end && words[at] === 0) at++;",
    after: "    while (at < end && words[at] >= 0) at++;",
    ask: LAB,
  },
  {
    name: "lab-order-counts-one-step-fewer",
    file: "src/lab/permalink.ts",
    before: "new Array<Agent>(Number(times || 1))",
    after: "new Array<Agent>(Number(times || 2))",
    ask: ["unit/permalink", ...LAB],
  },
  {
    name: "lab-selects-from-a-later-page-to-an-earlier-one",
    file: "src/lab/element/session.ts",
    before: "[Math.min(first, page), Math.max(first, page)]",
    after: "[first, page]",
    ask: SESSION,
  },
  {
    name: "lab-begins-an-operation-within-the-one-shown",
    file: "src/lab/element/session.ts",
    before: "      lab.goto(at);\n",
    after: "",
    ask: SESSION,
  },
  {
    name: "lab-carries-queued-operations-out",
    file: "src/lab/element/session.ts",
    before: "      if (this.queueing) return lab.give(operation);\n",
    after: "",
    ask: SESSION,
  },
  {
    name: "lab-shows-the-end-of-a-failing-order",
    file: "src/lab/element/session.ts",
    before: "      if (this.race.order !== null) this.#lab.goto(from);\n",
    after: "",
    ask: SESSION,
  },
  {
    name: "lab-carries-a-rival-out-with-another-bug",
    file: "src/lab/element/session.ts",
    before: "(i < done ?",
    after: "(i <= done ?",
    ask: SESSION,
  },
  {
    name: "setup-has-no-step-after-collecting",
    file: "assembly/core/migrate/setup.ts",
    before: "    if (stepPoint(STEP_COLLECTED)) return REQUEST;\n",
    after: "",
    ask: LAB,
  },
  {
    name: "step-point-asks-though-nobody-looks",
    file: "assembly/core/operation/step-point.ts",
    before: "  if (!(header(HDR_FLAGS) & HDR_FLAG_STEPS)) return false;\n",
    after: "",
    ask: ["unit/step-points"],
  },
];
