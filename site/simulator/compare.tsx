/** A run beside the one before it. */
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { causesOf, change, colorOf, COMPARED, criticalOf, shown } from "../../src/report/figures.ts";
import { HeatMap } from "../../src/report/page/heat.ts";
import { TimeRange } from "../../src/report/page/range.ts";
import { duration } from "../../src/report/page/words.ts";
import type { Picture } from "../../src/report/picture.ts";
import { CAUSES } from "../../src/sim/time/causes.ts";
import { written } from "./question.ts";
import type { EndedRun } from "./run-state.ts";

/** What was asked differently, such as "evict: lrm → lru". */
function changes(before: EndedRun, now: EndedRun): string {
  const names = [...new Set([...Object.keys(before.config), ...Object.keys(now.config)])];
  const word = (value: unknown): string => (value === undefined ? "default" : written(value));
  const list = names
    .map((name) => ({ name, was: word(before.config[name]), is: word(now.config[name]) }))
    .filter(({ was, is }) => was !== is)
    .map(({ name, was, is }) => `${name}: ${was} → ${is}`);
  return list.length === 0 ? "Nothing was asked differently." : list.join(" · ");
}

/** Time by cause of both runs, on one scale. */
function Bars({ before, now }: CompareProps): JSX.Element | null {
  const runs = [
    { name: "before", report: before.report },
    { name: "now", report: now.report },
  ];
  const causes = causesOf(runs);
  if (causes.length === 0) return null;
  const most = Math.max(1, ...runs.map(({ report }) => report.timing?.total ?? 0));
  return (
    <>
      <div class="tools">
        {causes.map((cause, i) => (
          <span class="key" key={cause}>
            <i style={{ backgroundColor: colorOf(i).color }} />
            {CAUSES[cause].text}
          </span>
        ))}
      </div>
      <div class="bars">
        {runs.map(({ name, report }) => (
          <>
            <span>{name}</span>
            <span class="bar" aria-hidden="true">
              {causes.map((cause, i) => {
                const width = `${((100 * criticalOf(report, cause)) / most).toFixed(2)}%`;
                return <i key={cause} style={{ width, backgroundColor: colorOf(i).color }} />;
              })}
            </span>
            <span class="value">{report.timing === null ? "no times" : duration(report.timing.total)}</span>
          </>
        ))}
      </div>
    </>
  );
}

function Figures({ before, now }: CompareProps): JSX.Element {
  const rows = COMPARED.map(({ name, unit, of }) => ({
    name,
    unit,
    was: of(before.report),
    is: of(now.report),
  })).filter(({ was, is }) => was !== 0 || is !== 0);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Figures of both runs">
      <table>
        <thead>
          <tr>
            <th scope="col">figure</th>
            <th scope="col">before</th>
            <th scope="col">now</th>
            <th scope="col">change</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ name, unit, was, is }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{shown(was, unit)}</td>
              <td>{shown(is, unit)}</td>
              <td>{change(is, was)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Where memory lay in a run that has ended. */
function OneMap({ picture, name }: { picture: Picture; name: string }): JSX.Element {
  const holder = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const map = new HeatMap(picture, new TimeRange(Math.max(1, picture.axis.end)), name);
    holder.current!.replaceChildren(map.element);
    const redraw = (): void => map.draw();
    document.addEventListener("themechange", redraw);
    return () => document.removeEventListener("themechange", redraw);
  }, [picture]);
  return <div ref={holder} class="small" />;
}

interface CompareProps {
  before: EndedRun;
  now: EndedRun;
}

export function Compare({ before, now }: CompareProps): JSX.Element {
  return (
    <section class="compare" id="compare" aria-labelledby="compare-title">
      <h2 id="compare-title">Beside the run before</h2>
      <p class="about">{changes(before, now)}</p>
      <Bars before={before} now={now} />
      <div class="pair">
        <OneMap picture={before.picture} name="before" />
        <OneMap picture={now.picture} name="now" />
      </div>
      <Figures before={before} now={now} />
    </section>
  );
}
