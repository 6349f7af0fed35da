/** What can be taken along from a run. */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { hashOf } from "./question.ts";
import type { EndedRun } from "./run-state.ts";
import type { Runner } from "./runner.ts";

/** How long a word about an export stays. */
const SHOWN_MS = 4000;

function save(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), SHOWN_MS);
}

/** A name for a file: the input's, without what a name cannot have. */
function nameOf({ report }: EndedRun): string {
  const base = report.trace.file.split("/").at(-1)!;
  return base.replace(/[^\w.-]+/g, "-").slice(0, 60);
}

function saveReport(run: EndedRun): Promise<void> {
  const text = `${JSON.stringify(run.report, null, 2)}\n`;
  save(`${nameOf(run)}.json`, new Blob([text], { type: "application/json" }));
  return Promise.resolve();
}

/** The page's own script and style come after the first run: they are no part of the first load. */
const loadPage = (): Promise<typeof import("../../src/report/html.ts")> => import("../../src/report/html.ts");

async function savePage(run: EndedRun): Promise<void> {
  const { htmlOf } = await loadPage();
  save(`${nameOf(run)}.html`, new Blob([htmlOf(run.picture)], { type: "text/html" }));
}

/** Runs it again: a trace of every event is kept only when someone wants it. */
async function savePerfetto(run: EndedRun, runner: Runner): Promise<void> {
  save(`${nameOf(run)}.perfetto-trace`, await runner.perfetto(run.config, run.file));
}

async function copyLink(run: EndedRun): Promise<void> {
  await navigator.clipboard.writeText(new URL(hashOf(run.config), location.href).href);
}

export function Exports({ run, runner }: { run: EndedRun; runner: Runner }): JSX.Element {
  const [word, setWord] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(() => void loadPage().catch(() => {}), []); // so that it is there without a network
  const timed = run.report.timing !== null;
  const act = (work: (run: EndedRun, runner: Runner) => Promise<void>, done: string): (() => void) => {
    return () => {
      setBusy(true);
      work(run, runner)
        .then(
          () => setWord(done),
          (error: Error) => setWord(`That failed: ${error.message}`),
        )
        .finally(() => {
          setBusy(false);
          setTimeout(() => setWord(""), SHOWN_MS);
        });
    };
  };
  return (
    <div class="exports" role="group" aria-label="Take along">
      <button type="button" id="save-json" onClick={act(saveReport, "Saved.")}>
        Report (JSON)
      </button>
      <button type="button" id="save-html" onClick={act(savePage, "Saved.")}>
        Page (HTML)
      </button>
      <button
        type="button"
        id="save-perfetto"
        disabled={!timed || busy}
        title={timed ? "Runs once more, and keeps every event" : "A trace for Perfetto needs a time model"}
        onClick={act(savePerfetto, "Saved.")}
      >
        Trace for Perfetto
      </button>
      <button type="button" id="copy-link" onClick={act(copyLink, "The address is copied.")}>
        Copy link
      </button>
      <span role="status" class="dim">
        {word}
      </span>
    </div>
  );
}
