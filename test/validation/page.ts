/** docs/validation.md: models against published figures. `npm run validate` writes it. */
import { add, bounds, exactRows, fittedRows, ownFit, slowdowns, tornado } from "./sections.ts";
import { simulated } from "./simulated.ts";
import { meanError, worstError } from "../../src/sim/time/fit.ts";
import { errorOf, signed, tableOf, type Row } from "./table.ts";

/** Where the page is. */
export const PAGE = "docs/validation.md";

const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;

/** How far off some rows are, in a sentence. */
function summary(rows: readonly Row[]): string {
  const errors = rows.map((row) => errorOf(row) / 100);
  return `mean error ${percent(meanError(errors))}, worst ${percent(worstError(errors))}`;
}

/** Programs by their slowdown, the largest first. */
function ranked(rows: readonly Row[], at: string, which: "published" | "ours"): string {
  return rows
    .filter(({ what }) => what.endsWith(at))
    .sort((a, b) => b[which] - a[which])
    .map(({ what }) => what.split(" ")[0])
    .join(" > ");
}

function ranks(rows: readonly Row[]): string {
  return ["125 %", "150 %"]
    .map((at) => {
      const [real, ours] = [ranked(rows, at, "published"), ranked(rows, at, "ours")];
      return `At ${at} the order is ${real}; ours is ${ours === real ? "the same" : ours}.`;
    })
    .join(" ");
}

/** A bar of a tornado chart: a block for each half percent. */
function bar(change: number): string {
  return "█".repeat(Math.max(0, Math.round(Math.abs(change) * 2)));
}

function chart(rows: readonly [string, number, number][]): string {
  const shown = rows.map(([name, less, more]) => {
    const [left, right] = [Math.min(less, more), Math.max(less, more)];
    const numbers = `${signed(left).padStart(8)} ${signed(right).padStart(8)}`;
    return `${name.padEnd(26)}${numbers}  ${bar(left).padStart(24)}│${bar(right)}`.trimEnd();
  });
  return ["```text", ...shown, "```"].join("\n");
}

function boundsTable(rows: readonly string[][]): string {
  const head = ["program", "sequential", "published", "a page each"];
  return [head, ["---", "--:", "--:", "--:"], ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** What follows from the rules. */
async function exactPart(): Promise<string> {
  const exact = await exactRows();
  return `# Validation

This page is for people who ask how far to trust a simulated count or time. \`npm run validate\` makes
it; a test fails when it is stale.

Each row has a published figure, ours, and the error. _Exact_ figures follow from the rules and must be
equal. _Fitted_ ones have constants that were fitted to figures of this kind. _Predicted_ ones were not.
An error beyond its aim is bold. Intervals are those of the fits' errors: 2.9 % and 1.6 % for the link,
11 % for groups.

## Counts that follow from the rules

The CUDA tutorial's \`add\`, as nvprof prints it on seven GPUs (workload \`add:size=8MiB,grain=4096\`,
one thread):

${tableOf(add().counts)}

Hotspot as UVM-Smart's logs have it (workload \`hotspot\`, which is generated from the program's loops),
and a warp of a Titan V that adds two vectors with a page a thread:

${tableOf(exact)}

`;
}

/** The 1080 Ti's times from its own counts. */
function fittedPart(): string {
  const { link, groups } = fittedRows();
  const slow = slowdowns();
  const fits = ownFit().map(
    ({ name, fit: { errors, leftOut }, shown }) =>
      `| ${name} | ${shown} | ${percent(meanError(errors))} | ${percent(worstError(errors))} | ` +
      `${percent(worstError(leftOut))} |`,
  );
  return `## A GTX 1080 Ti: times from its own counts

The link's time of nvprof's transfers, by 0.826 µs + bytes / 11.72 GB/s to the device and 0.737 µs +
bytes / 13.16 GB/s to the host: ${summary(link)} (aim: each within 3 %). The constants come from more
programs than these; these twelve rows alone give:

| | constants | mean error | worst | worst left out |
|---|---|--:|--:|--:|
${fits.join("\n")}

${tableOf(link)}

A fault group, by 99.6 µs + 5.55 µs a transfer to the device + its time on the link: ${summary(groups)}
(aim: mean 15 %, worst 40 %).

${tableOf(groups)}

Slowdowns under oversubscription, from the counts: groups, and copies to the host. The interval is that
of two groups' errors, 11 % each. The aim is the exact order. ${ranks(slow)} Hotspot comes out too slow
against 100 %, because its groups there take 18 % longer than the fit says, and that is the largest error
of the twelve rows: the same constants give its groups at 125 % and 150 % within 5 %. Ours differ by less
than the intervals, so the model cannot order the two; a term for copies to the host in a group, or none
for them at all, would not change that (1.65 to 1.77). At 150 % sssp waits for something that its groups
and copies do not show: the real groups take less time than at 125 %, and its kernels more.

${tableOf(slow)}

`;
}

/** Returns the page. */
export async function validationPage(): Promise<string> {
  const { rows, base } = simulated("hotspot");
  const { times } = add();
  return `${await exactPart()}${fittedPart()}## Hotspot and fdtd, simulated

The traces are generated, and one thread of the device makes the accesses. Device memory is what was left
on the real device, less one chunk of 2 MiB that the driver keeps.

Hotspot (workload \`hotspot\`): the CPU writes two arrays, four kernels sweep over three, the CPU reads
one. 125 % and 150 % leave the same number of chunks, so our figures are the same.

${tableOf(rows)}

fdtd is PolyBench's fdtd-2d (workload \`fdtd2d:size=18MiB,iterations=5\`): the CPU writes the fields ex, ey
and hz, and the source; a step has three kernels; the CPU reads hz. The logs name neither size nor steps.
73 CPU faults are 6 for each of nine blocks that are written, 1 for the source, and 6 for each of three
blocks that are read; so the fields have three blocks each, and what was left at 100 % says that these are
full: 18 MiB. Five steps are those with the published bytes to the device; each further step at 100 %
moves 18 MiB. The other figures are predictions.

${tableOf(simulated("fdtd").rows)}

## Programs without a trace

The accesses of bfs and sssp depend on the edges of a graph, which the logs do not name. A sequential model
bounds the number of transfers of the published bytes: at least 12 for each 2 MiB, as sequential first
touches have them, at most one for each page.

${boundsTable(bounds())}

## Other GPUs

\`add\` by the 1080 Ti's constants, on GPUs that these were not fitted to: ${summary(times)}.

${tableOf(times)}

## Which constant matters

The change of hotspot's time (5 chunks) if a constant is 20 % less or more; a bandwidth that is less
makes the time more:

${chart(tornado(base))}
`;
}
