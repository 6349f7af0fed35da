/** What a run draws: its page. */
import { htmlOf } from "../report/html.ts";
import { PictureRecorder } from "../report/recorder.ts";
import type { RangePicture } from "../report/picture.ts";
import { fanOut } from "../sim/time/listener.ts";
import type { RecordSource, Simulation } from "../sim.ts";
import { optionOf, type Configured } from "./config.ts";
import { UserError } from "./errors.ts";
import { OutputFile } from "./output.ts";
import type { RunReport } from "./report.ts";

/** Fields that say where a run writes, which the command for the same page names last. */
const FILES = ["html", "perfetto"];

/** A word for a shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A value of a field as options give it. */
function words(field: string, value: unknown): string[] {
  if (value === undefined || value === false) return [];
  if (field === "trace") return [quoted(value as string)];
  if (value === true) return [optionOf(field)];
  const items: unknown[] = Array.isArray(value) ? value : [value];
  return items.flatMap((item) => [
    optionOf(field),
    quoted(typeof item === "string" ? item : JSON.stringify(item)),
  ]);
}

/** Returns the command with these fields. */
export function commandOf(given: Readonly<Record<string, unknown>>): string {
  const fields = Object.entries(given).sort(
    ([a], [b]) => Number(FILES.includes(a)) - Number(FILES.includes(b)),
  );
  return ["heteromem run", ...fields.flatMap(([field, value]) => words(field, value))].join(" ");
}

/** Records what a run's files need. */
export class Pictures {
  readonly #configured: Configured;
  readonly #recorder: PictureRecorder | null;
  readonly #html: OutputFile | null = null;

  /** Opens the files. Throws UserError for one that cannot be written. */
  constructor(configured: Configured) {
    this.#configured = configured;
    const { html, perfetto, trace = null } = configured.config;
    if (html !== undefined && html === perfetto)
      throw new UserError(`--html ${html}: this is the file of --perfetto`);
    if (html !== undefined) this.#html = OutputFile.open(html, trace);
    this.#recorder = html === undefined ? null : new PictureRecorder();
  }

  /** Has a simulation tell what happens. */
  listen(simulation: Simulation): void {
    if (this.#recorder !== null) simulation.listen(fanOut([this.#recorder]));
  }

  /** Writes the files of a run whose report this is. */
  write(report: RunReport, source: RecordSource): void {
    if (this.#recorder === null) return;
    const { given } = this.#configured;
    const timed = report.timing !== null;
    const picture = this.#recorder.picture({
      title: report.trace.file,
      command: commandOf(given),
      settings: Object.entries(given)
        .filter(([field]) => !FILES.includes(field))
        .map(([field, value]) => [field, typeof value === "string" ? value : JSON.stringify(value)]),
      report,
      unit: timed ? "ps" : "accesses",
      length: timed ? report.timing!.total : report.trace.accesses,
      ranges: rangesOf(report, source),
    });
    this.#html!.write(new TextEncoder().encode(htmlOf(picture)));
    this.close();
  }

  /** Removes what was not written whole. */
  discard(): void {
    this.#html?.discard();
  }

  /** Closes the files. */
  close(): void {
    this.#html?.close();
  }
}

/** Named ranges: the source's, and those that the report found. */
function rangesOf(report: RunReport, { ranges = [] }: RecordSource): RangePicture[] {
  const known = new Set(ranges.map(({ name }) => name));
  const found = report.ranges
    .filter(({ name }) => !known.has(name))
    .map(({ name, start, bytes }) => ({ name, start: Number(start), bytes }));
  return [...ranges.map(({ name, start, bytes }) => ({ name, start, bytes })), ...found];
}
