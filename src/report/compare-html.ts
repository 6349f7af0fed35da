/** A page that shows several runs side by side: time by cause on one scale, and figures with changes. */
import { CAUSE_NAMES, CAUSES } from "../sim/time/causes.ts";
import type { SimulationReport } from "../sim.ts";
import { documentOf, escaped } from "./document.ts";

/** A run, by its file. */
export interface ComparedRun {
  name: string;
  report: SimulationReport;
}

/** Colors of causes, in the order of their time: bars of one cause have one color on the whole page. */
const COLORS = ["--device", "--ram", "--third", "--fourth", "--dim"];

/** Figures that are compared, and how each is written. */
const FIGURES: readonly [string, (report: SimulationReport) => number, "count" | "MiB" | "ms"][] = [
  ["time, ms", ({ timing }) => timing?.total ?? 0, "ms"],
  ["device faults", ({ faults }) => faults.device, "count"],
  ["fault groups", ({ managed }) => managed.groups, "count"],
  ["CPU faults", ({ faults }) => faults.cpu, "count"],
  ["to the device, MiB", ({ device }) => device.bytesIn, "MiB"],
  ["of that again, MiB", ({ device }) => device.bytesInAgain, "MiB"],
  ["left the device, MiB", ({ device }) => device.bytesOut, "MiB"],
  ["evictions", ({ evictions }) => evictions, "count"],
  ["device accesses to RAM", ({ accesses: { device } }) => device.ram.loads + device.ram.stores, "count"],
  ["invalidations", ({ invalidations }) => invalidations, "count"],
];
const DIVISORS = { count: 1, MiB: 2 ** 20, ms: 1e9 } as const;

function shown(value: number, unit: keyof typeof DIVISORS): string {
  const scaled = value / DIVISORS[unit];
  return unit === "count" ? String(scaled).replace(/\B(?=(\d{3})+$)/g, ",") : scaled.toFixed(2);
}

/** A change against the first run, in percent. */
function change(value: number, first: number): string {
  if (value === first) return "";
  if (first === 0) return "new";
  const percent = 100 * (value / first - 1);
  return `${percent < 0 ? "−" : "+"}${Math.abs(percent).toFixed(1)} %`;
}

/** The causes of all runs, those that take the most time first. */
function causesOf(runs: readonly ComparedRun[]): (keyof typeof CAUSES)[] {
  const timeOf = (cause: string): number =>
    runs.reduce((sum, { report: { timing } }) => {
      return sum + (timing?.causes.find((one) => one.cause === cause)?.critical ?? 0);
    }, 0);
  return CAUSE_NAMES.filter((cause) => timeOf(cause) > 0).sort((a, b) => timeOf(b) - timeOf(a));
}

/** Bars of the runs on one scale, a piece for each cause. */
function bars(runs: readonly ComparedRun[]): string {
  const causes = causesOf(runs);
  const most = Math.max(1, ...runs.map(({ report: { timing } }) => timing?.total ?? 0));
  if (causes.length === 0) return "<p>None of these runs has a time model (--time).</p>";
  const colorOf = (cause: string): string =>
    COLORS[Math.min(causes.indexOf(cause as never), COLORS.length - 1)];
  const rows = runs.map(({ name, report: { timing } }) => {
    const pieces = causes.map((cause) => {
      const critical = timing?.causes.find((one) => one.cause === cause)?.critical ?? 0;
      const width = ((100 * critical) / most).toFixed(2);
      const title = `${CAUSES[cause].text}: ${shown(critical, "ms")} ms`;
      return `<i style="width:${width}%;background-color:var(${colorOf(cause)})" title="${title}"></i>`;
    });
    const total = `${shown(timing?.total ?? 0, "ms")} ms`;
    const cells = [`<span class="bar">${pieces.join("")}</span>`, `<span class="value">${total}</span>`];
    return `<span>${escaped(name)}</span>${cells.join("")}`;
  });
  const legend = causes.map(
    (cause, i) =>
      `<span class="key"><i style="background-color:var(${colorOf(cause)})"></i>` +
      `${CAUSES[cause].text}${i >= COLORS.length ? " (same color)" : ""}</span>`,
  );
  return `<div class="tools">${legend.join("")}</div><div class="bars" id="causes">${rows.join("")}</div>`;
}

function figures(runs: readonly ComparedRun[]): string {
  const head = runs
    .map(({ name }, i) => `<th>${escaped(name)}</th>${i > 0 ? "<th>change</th>" : ""}`)
    .join("");
  const rows = FIGURES.map(([name, value, unit]) => {
    const first = value(runs[0].report);
    const cells = runs.map(({ report }, i) => {
      const own = value(report);
      return `<td>${shown(own, unit)}</td>${i > 0 ? `<td>${change(own, first)}</td>` : ""}`;
    });
    return `<tr><td>${name}</td>${cells.join("")}</tr>`;
  });
  return `<table><thead><tr><th></th>${head}</tr></thead><tbody>${rows.join("")}</tbody></table>`;
}

/** The script that follows the reader's choice of a light or a dark page. */
const THEME =
  "const dark=matchMedia('(prefers-color-scheme: dark)'),set=()=>document.documentElement.dataset.theme=" +
  "dark.matches?'dark':'light';set();dark.addEventListener('change',set)";

/** Returns the page. Runs without a time model have no bars. */
export function compareHtml(runs: readonly ComparedRun[]): string {
  const title = runs.map(({ name }) => escaped(name)).join(" · ");
  return documentOf(
    `${title} – heteromem compare`,
    `<header><h1>${title}</h1></header>
<main>
<figure><figcaption><h2>Time by cause</h2><p>What each run waits for, on one scale.</p></figcaption>
${bars(runs)}</figure>
<section><h2>Figures</h2><p class="about">Changes are against the first run.</p>
<div class="scroll">${figures(runs)}</div></section>
<footer>Made by heteromem. Nothing on this page comes from the network.</footer>
</main>`,
    THEME,
  );
}
