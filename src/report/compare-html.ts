/** A page that shows several runs side by side: time by cause on one scale, and figures with changes. */
import { CAUSES } from "../sim/time/causes.ts";
import { documentOf, escaped } from "./document.ts";
import { causesOf, change, colorOf, COMPARED, criticalOf, shown, type ComparedRun } from "./figures.ts";

/** Bars of the runs on one scale, a piece for each cause. */
function bars(runs: readonly ComparedRun[]): string {
  const causes = causesOf(runs);
  const most = Math.max(1, ...runs.map(({ report: { timing } }) => timing?.total ?? 0));
  if (causes.length === 0) return "<p>None of these runs has a time model (--time).</p>";
  const rows = runs.map(({ name, report }) => {
    const pieces = causes.map((cause, i) => {
      const critical = criticalOf(report, cause);
      const width = ((100 * critical) / most).toFixed(2);
      const title = `${CAUSES[cause].text}: ${shown(critical, "ps")} ms`;
      return `<i style="width:${width}%;background-color:${colorOf(i).color}" title="${title}"></i>`;
    });
    const total = `${shown(report.timing?.total ?? 0, "ps")} ms`;
    const cells = [`<span class="bar">${pieces.join("")}</span>`, `<span class="value">${total}</span>`];
    return `<span>${escaped(name)}</span>${cells.join("")}`;
  });
  const legend = causes.map(
    (cause, i) =>
      `<span class="key"><i style="background-color:${colorOf(i).color}"></i>` +
      `${CAUSES[cause].text}${colorOf(i).shared ? " (same color)" : ""}</span>`,
  );
  return `<div class="tools">${legend.join("")}</div><div class="bars" id="causes">${rows.join("")}</div>`;
}

function figures(runs: readonly ComparedRun[]): string {
  const head = runs
    .map(({ name }, i) => `<th>${escaped(name)}</th>${i > 0 ? "<th>change</th>" : ""}`)
    .join("");
  const rows = COMPARED.map(({ name, unit, of }) => {
    const first = of(runs[0].report);
    const cells = runs.map(({ report }, i) => {
      const own = of(report);
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
