/** What a run draws: its page. */
import { htmlOf } from "../report/html.ts";
import { PictureRecorder } from "../report/recorder.ts";
import type { Picture } from "../report/picture.ts";
import { PerfettoTrace } from "../report/perfetto/trace.ts";
import { fanOut } from "../sim/time/listener.ts";
import type { RecordSource, Simulation } from "../sim.ts";
import { aboutRun } from "./command-line.ts";
import type { Configured } from "./config.ts";
import { UserError } from "./errors.ts";
import { OutputFile } from "./output.ts";
import type { RunReport } from "./report.ts";

/** Records what a run's files need, and what a terminal shows. */
export class Pictures {
  readonly #configured: Configured;
  readonly #recorder: PictureRecorder | null;
  readonly #trace: PerfettoTrace | null = null;
  readonly #html: OutputFile | null = null;
  readonly #perfetto: OutputFile | null = null;

  /**
   * Opens the files. Throws UserError for one that cannot be written.
   * @param sparks whether the text of the report has sparklines
   */
  constructor(configured: Configured, sparks: boolean) {
    this.#configured = configured;
    const { html, perfetto, time, trace = null } = configured.config;
    if (html !== undefined && html === perfetto)
      throw new UserError(`--html ${html}: this is the file of --perfetto`);
    if (perfetto !== undefined && (time === undefined || time === "none"))
      throw new UserError(`--perfetto ${perfetto}: expected --time, which says when things happen`);
    if (html !== undefined) this.#html = OutputFile.open(html, trace);
    this.#recorder = html === undefined && !sparks ? null : new PictureRecorder();
    if (perfetto === undefined) return;
    const file = OutputFile.open(perfetto, trace);
    this.#perfetto = file;
    this.#trace = new PerfettoTrace((bytes) => file.write(bytes));
  }

  /** Has a simulation tell what happens. */
  listen(simulation: Simulation): void {
    const all = [this.#recorder, this.#trace].filter((one) => one !== null);
    if (all.length > 0) simulation.listen(fanOut(all));
  }

  /** Writes the files of a run whose report this is. Returns its picture; null if none was recorded. */
  write(report: RunReport, source: RecordSource): Picture | null {
    this.#trace?.finish();
    this.#perfetto?.close();
    if (this.#recorder === null) return null;
    const { given } = this.#configured;
    const picture = this.#recorder.picture(aboutRun(given, report, source));
    this.#html?.write(new TextEncoder().encode(htmlOf(picture)));
    this.#html?.close();
    return picture;
  }

  /** Removes what was not written whole. */
  discard(): void {
    this.#html?.discard();
    this.#perfetto?.discard();
  }
}
