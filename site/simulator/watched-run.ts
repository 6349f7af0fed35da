/** One run in the worker: it tells how far it is, can pause, and ends with a report and its picture. */
import { aboutRun } from "../../src/cli/command-line.ts";
import { runReport } from "../../src/cli/run-report.ts";
import type { RunInput } from "../../src/cli/trace-input.ts";
import { PerfettoTrace } from "../../src/report/perfetto/trace.ts";
import type { Picture } from "../../src/report/picture.ts";
import { PictureRecorder } from "../../src/report/recorder.ts";
import { simulationFields } from "../../src/sim/config.ts";
import { forEachReference } from "../../src/sim/first-pass.ts";
import { References } from "../../src/sim/policies/references.ts";
import { feedAll, Simulation, SimulationError, type Block } from "../../src/sim.ts";
import type { Answer, Request, RunProgress } from "./messages.ts";
import { openInput, type OpenInput } from "./open-input.ts";

/** Milliseconds between two pictures, at least. */
const PICTURE_MS = 250;
const STOPPED = "stopped";
/** The name of the page's file in the command that gives the same page. */
const PAGE_NAME = "run.html";

export class WatchedRun {
  readonly #request: Request & { type: "run" };
  readonly #post: (answer: Answer) => void;
  readonly #recorder = new PictureRecorder();
  readonly #signal = { aborted: false, reason: new Error(STOPPED) };
  /** Resolves when a pause is over; null: there is none. */
  #pause: Promise<void> | null = null;
  #resume = (): void => {};
  /** The page has drawn the last picture. */
  #drawn = true;
  #last = 0;
  /** When the run began, moved by what pauses took. */
  #began = 0;

  constructor(request: Request & { type: "run" }, post: (answer: Answer) => void) {
    this.#request = request;
    this.#post = post;
  }

  pause(): void {
    this.#pause ??= new Promise((resolve) => (this.#resume = resolve));
  }

  resume(): void {
    this.#pause = null;
    this.#resume();
  }

  stop(): void {
    this.#signal.aborted = true;
    this.resume();
  }

  /** Another picture may be sent. */
  drawn(): void {
    this.#drawn = true;
  }

  /** Runs to the end. Rejects with UserError, ConfigError and others whose message is for the user. */
  async run(): Promise<void> {
    const { config } = this.#request;
    const future = config.evict === "opt" ? await this.#lookAhead() : undefined;
    using simulation = await Simulation.create(simulationFields(config), future);
    const opened = await this.#open();
    const trace: Uint8Array<ArrayBuffer>[] = [];
    const perfetto = this.#request.perfetto
      ? new PerfettoTrace((bytes) => void trace.push(new Uint8Array(bytes)))
      : null;
    simulation.listen(perfetto ?? this.#recorder);
    this.#began = performance.now();
    const early = await this.#feed(simulation, opened);
    const report = runReport(opened.input, simulation, early, this.#request.version);
    if (perfetto !== null) {
      perfetto.finish();
      this.#post({ type: "perfetto", trace: new Blob(trace, { type: "application/octet-stream" }) });
      return;
    }
    const about = aboutRun({ ...config, html: PAGE_NAME }, report, opened.input.source);
    const progress = this.#progress(simulation, opened);
    this.#post({ type: "done", progress, picture: this.#recorder.picture(about), report });
  }

  /** Makes all accesses. Returns why it ended early; null: it did not. */
  async #feed(simulation: Simulation, opened: OpenInput): Promise<string | null> {
    const { input } = opened;
    const { source } = input;
    const gated = {
      ranges: source.ranges ?? [],
      get kernels() {
        return source.kernels ?? [];
      },
      blocks: () => this.#gate(input, simulation, opened),
    };
    const onProgress = (): void => this.#look(simulation, opened, false);
    try {
      await feedAll(simulation, gated, { onProgress, signal: this.#signal });
    } catch (error) {
      if (!this.#signal.aborted || error instanceof SimulationError) return input.explain(error);
    }
    return this.#signal.aborted ? STOPPED : null;
  }

  /** The source's blocks; no further one comes during a pause. */
  async *#gate(
    input: RunInput,
    simulation: Simulation,
    opened: OpenInput,
  ): AsyncGenerator<Block, void, void> {
    for await (const block of input.source.blocks()) {
      while (this.#pause !== null) {
        const begun = performance.now();
        this.#look(simulation, opened, true);
        await this.#pause;
        this.#began += performance.now() - begun;
      }
      yield block;
    }
  }

  #progress(simulation: Simulation, opened: OpenInput): RunProgress {
    return { accesses: simulation.replayed, share: opened.share(), elapsed: performance.now() - this.#began };
  }

  /** Tells how far the run is, where it is time to. */
  #look(simulation: Simulation, opened: OpenInput, paused: boolean): void {
    const now = performance.now();
    if (!paused && (!this.#drawn || now - this.#last < PICTURE_MS)) return;
    this.#last = now;
    this.#drawn = false;
    const progress = this.#progress(simulation, opened);
    const picture = this.#request.perfetto ? null : this.#picture(simulation, opened.input);
    this.#post({ type: "progress", progress, picture, paused });
  }

  #picture(simulation: Simulation, { name, source }: RunInput): Picture {
    const report = simulation.peek();
    return this.#recorder.picture({
      title: name,
      command: "",
      settings: [],
      report,
      unit: report.timing === null ? "accesses" : "ps",
      length: null,
      ranges: (source.ranges ?? []).map(({ name, start, bytes }) => ({ name, start, bytes })),
    });
  }

  #open(): Promise<OpenInput> {
    const { config, file } = this.#request;
    const signal = this.#signal;
    return openInput(config, file, {
      get stopped() {
        return signal.aborted;
      },
    });
  }

  /** Returns the device's accesses by a first pass over the input. */
  async #lookAhead(): Promise<References> {
    const references = new References();
    const { input } = await this.#open();
    try {
      const config = simulationFields(this.#request.config);
      await forEachReference(input.source, config, (unit) => references.add(unit));
    } catch (error) {
      input.explain(error); // a trace that ends early has this much
    }
    return references;
  }
}
