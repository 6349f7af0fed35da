/**
 * P16: our side of P1 to P7 in Chromium, compared with Node. Both run the rows in step, and repetitions
 * alternate between them. `npm run bench:browser` runs this row alone.
 */
import { Page, chromium } from "../chromium.ts";
import type { Comparison, Context, Result, Row, Side } from "../harness.ts";
import { PAGE_ROWS } from "../page.ts";

const TARGET = 1.2;

/** Returns the program that the page offers, as a side. */
function sideOf(page: Page): Side {
  return {
    async run() {
      page.order("run");
      return (await page.next()).sample!;
    },
  };
}

/** Compares one program of a row in the page with the same program here. */
async function compareOne(row: string, spec: Comparison, page: Page, context: Context): Promise<Result[]> {
  const { offers } = await page.next();
  if (offers !== row) throw new Error(`the page is at ${offers}, not at ${row}`);
  const name = `${row}-${spec.rivals[0].name}`;
  const results = await context.compare({
    ours: sideOf(page),
    units: spec.units,
    rivals: [{ name: nameOf(row, name), target: TARGET, sides: [spec.ours] }],
  });
  page.order("go on");
  return results;
}

/** Returns a name for one program of a row: the name of its first rival, without prefixes such as "twin". */
function nameOf(row: string, name: string): string {
  const rest = name
    .replace(`${row}-`, "")
    .replace(/^(twin|memcpy)-?/, "")
    .replace(/^O3$/, "");
  return rest === "" ? row : `${row}-${rest}`;
}

async function runAll(page: Page, context: Context): Promise<Result[]> {
  const results: Result[] = [];
  for (const [name, row] of Object.entries(PAGE_ROWS)) {
    await row.run({
      ...context,
      note: () => undefined,
      print: () => undefined,
      async compare(spec) {
        const found = await compareOne(name, spec, page, context);
        results.push(...found);
        return found;
      },
    });
  }
  if ((await page.next()).finished !== true) throw new Error("the page has more rows than Node");
  page.order("go on");
  return results;
}

const row: Row = {
  title: "P1 to P7 in Chromium, against Node",
  unit: "unit of its row",
  threads: true,
  async run(context) {
    const command = chromium();
    if (command === null) {
      context.note("skipped: there is no Chromium here; set CHROMIUM to its command");
      return [];
    }
    const page = await Page.open(command, context.smoke);
    try {
      return await runAll(page, context);
    } finally {
      await page.close();
    }
  },
};
export default row;
