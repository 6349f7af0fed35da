/**
 * Replays the recorded kernel answers on the reference model and counts the mismatches: `node --import
 * ./tools/typescript.mjs test/fuzz/model-golden.ts [folder] [--linux 7.3] [--only scenario] [-v]`
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { RECORDS_DRIVER_7_3 } from "../model/driver-rules.ts";
import { execute, stateOf, type Arg } from "../model/replay.ts";
import { NO_LIMITS, World } from "../model/world.ts";
import type { LinuxVersion } from "../../src/index.ts";

const KNOWN = new Set([
  "anon",
  "fork",
  "remap",
  "kernel-access",
  "advice",
  "accounting",
  "exclusive",
  "file",
  "ksm",
  "hugetlb",
  "swap",
  "special",
  "uffd",
  "thp",
  "huge-device",
  "coherent",
  "mthp",
  "fail-alloc",
  "unlocked",
  "dontneed-pt",
]);
const ANSWERS = [
  "ret",
  "cpages",
  "faults",
  "data",
  "ok",
  "sig",
  "rets",
  "vec",
  "current",
  "shared",
  "sharing",
];
const DETAILS = new Set(["vma", "pm", "flt"]);

interface Scenario {
  s: string;
  file: string;
  tags: string[];
}

interface RecordedState {
  vma: string[];
  pm: string;
  rss: number[];
  h?: Record<string, { snap: string; dpt: string; inv: unknown[][] }>;
  dev: number[];
  coh?: number[];
}

interface Recorded {
  s: string;
  i: number;
  p: number;
  op: string;
  args: Arg[];
  win?: number;
  st: Record<string, RecordedState>;
  [key: string]: unknown;
}

export interface Mismatch {
  scenario: string;
  i: number;
  op: string;
  field: string;
  want: unknown;
  have: unknown;
}

export interface Outcome {
  scenarios: number;
  operations: number;
  fields: number;
  strict: Mismatch[];
  detail: Mismatch[];
}

/** Reads a file of records, compressed or not. */
function lines(folder: string, file: string): string[] {
  const path = join(folder, file);
  const text = existsSync(path) ? readFileSync(path) : gunzipSync(readFileSync(`${path}.gz`));
  return text.toString("utf8").trim().split("\n");
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
const UNORDERED = new Set(["drel", "close", "exit"]);

/** The scenarios of a folder, by its index; without one they need nothing that has a tag. */
function listed(folder: string): Scenario[] {
  const index = join(folder, "index.json");
  if (existsSync(index)) return JSON.parse(readFileSync(index, "utf8")) as Scenario[];
  const files = readdirSync(folder).filter((file) => /\.jsonl(\.gz)?$/.test(file));
  return files.flatMap((name) => {
    const file = name.replace(/\.gz$/, "");
    const starts = lines(folder, file).map((line) => JSON.parse(line) as Recorded);
    return starts.filter(({ op }) => op === "start").map(({ s }) => ({ s, file, tags: [] }));
  });
}

/** Replays every scenario that `select` accepts; a scenario continues after a mismatch. */
export function replayGolden(
  folder: string,
  linux: LinuxVersion,
  select: (name: string) => boolean = () => true,
): Outcome {
  const wanted = listed(folder).filter((s) => s.tags.every((t) => KNOWN.has(t)) && select(s.s));
  const names = new Set(wanted.map((s) => s.s));
  // The folder `old` has a driver like that of 6.12.
  const compound = linux === "7.3" && basename(resolve(folder)) !== "old";
  const newWorld = (): World => (compound ? fourDevices() : new World(undefined, undefined, linux));
  const outcome: Outcome = { scenarios: names.size, operations: 0, fields: 0, strict: [], detail: [] };
  for (const file of new Set(wanted.map((s) => s.file))) {
    let world = newWorld();
    let win = 16;
    for (const line of lines(folder, file)) {
      const record = JSON.parse(line) as Recorded;
      if (!names.has(record.s)) continue;
      if (record.op === "start") {
        world = newWorld();
        win = record.win ?? 16;
      } else {
        compare(outcome, record, world, win);
        outcome.operations++;
      }
    }
  }
  return outcome;
}

/** Two private and two coherent devices; only the files of the first two are open. */
function fourDevices(): World {
  const devices = [Infinity, Infinity, Infinity, Infinity];
  const limits = { ...NO_LIMITS, devices, coherent: [false, false, true, true] };
  const world = new World(limits, RECORDS_DRIVER_7_3, "7.3");
  world.handles.delete(2);
  world.handles.delete(3);
  return world;
}

function compare(outcome: Outcome, record: Recorded, world: World, win: number): void {
  const check = (field: string, want: unknown, have: unknown): void => {
    outcome.fields++;
    if (same(want, have)) return;
    const kind = DETAILS.has(field.split(" ").at(-1)!) ? outcome.detail : outcome.strict;
    kind.push({
      scenario: record.s,
      i: record.i,
      op: `${record.op} ${record.args.join(" ")}`,
      field,
      want,
      have,
    });
  };
  const answer = answerOf(world, record);
  for (const field of ANSWERS) if (field in record) check(field, record[field], answer[field]);
  if (record.op === "dsnap") check("snap", record.snap, answer.snap);
  if ("flt" in record) check("flt", record.flt, answer.flt);
  for (const [pid, want] of Object.entries(record.st)) {
    if (!world.mms.has(Number(pid))) {
      check(`${pid} alive`, true, false);
      continue;
    }
    const have = stateOf(world, Number(pid), win);
    check(`${pid} vma`, want.vma, have.vma);
    check(`${pid} pm`, want.pm, have.pm);
    check(`${pid} rss`, want.rss, have.rss);
    check(`${pid} dev`, want.dev, have.dev);
    check(`${pid} coh`, want.coh, have.coh);
    check(`${pid} handles`, Object.keys(want.h ?? {}), Object.keys(have.h));
    for (const [h, wanted] of Object.entries(want.h ?? {})) {
      const mine = have.h[h];
      check(`${pid} h${h} snap`, wanted.snap, mine?.snap);
      check(`${pid} h${h} dpt`, wanted.dpt, mine?.dpt);
      const order = (inv: unknown[][] = []): unknown[] =>
        UNORDERED.has(record.op) ? inv.map((e) => JSON.stringify(e)).sort() : inv;
      check(`${pid} h${h} inv`, order(wanted.inv), order(mine?.inv));
    }
  }
}

/** `memcg` and `smaps` ask for figures; everything else is an operation. */
function answerOf(world: World, record: Recorded): Record<string, unknown> {
  if (record.op === "memcg") return { current: world.charged };
  if (record.op === "smaps" || record.op === "kpf") return {};
  return execute(world, record.p, record.op, record.args) ?? { ret: "not known to the model" };
}

function report(outcome: Outcome, verbose: boolean): void {
  const count = (list: Mismatch[]): string => {
    const fields = new Map<string, number>();
    for (const m of list) {
      const field = m.field.split(" ").at(-1)!;
      fields.set(field, (fields.get(field) ?? 0) + 1);
    }
    const parts = [...fields].map(([f, n]) => `${f} ${n}`).join(", ");
    return `${list.length} in ${new Set(list.map((m) => m.scenario)).size} scenarios${parts && `: ${parts}`}`;
  };
  const { scenarios, operations, fields, strict, detail } = outcome;
  console.log(`${scenarios} scenarios, ${operations} operations, ${fields} fields compared`);
  console.log(`strict mismatches: ${count(strict)}`);
  console.log(`detail mismatches: ${count(detail)}`);
  const seen = new Set<string>();
  for (const m of [...strict, ...detail]) {
    if (!verbose && seen.has(m.scenario)) continue;
    seen.add(m.scenario);
    console.log(`${m.scenario} #${m.i} ${m.op}: ${m.field}`);
    console.log(`   want ${JSON.stringify(m.want)}\n   have ${JSON.stringify(m.have)}`);
  }
}

if (process.argv[1]?.endsWith("model-golden.ts")) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: "string" }, linux: { type: "string" }, v: { type: "boolean", short: "v" } },
  });
  const folder = positionals[0] ?? join(import.meta.dirname, "../golden/records");
  const linux = values.linux === "7.3" ? "7.3" : "6.12";
  const outcome = replayGolden(folder, linux, (s) => values.only === undefined || values.only === s);
  report(outcome, values.v ?? false);
  process.exitCode = outcome.strict.length > 0 || outcome.scenarios === 0 ? 1 : 0;
}
