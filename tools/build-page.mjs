/** Bundles the pages of a run and of a sweep: build/page.js has their scripts and their style as text. */

/** The pages' scripts, their style, and what the scripts contain of packages. */
const PAGE = "src/report/page/main.ts";
const SWEEP = "src/report/page/sweep.ts";
const STYLE = "src/report/page/style.css";
export const PAGE_LIBRARY = "node_modules/uplot/dist/uPlot.esm.js";

/** Returns the text of a module whose default export is the pages' scripts and style. */
export async function pageModule() {
  const { build } = await import("esbuild");
  const entryPoints = { page: PAGE, sweep: SWEEP, style: STYLE };
  const form = { bundle: true, minify: true, write: false, format: "iife", target: "es2022" };
  const { outputFiles } = await build({ ...form, entryPoints, outdir: "page", legalComments: "inline" });
  const textOf = (suffix) => outputFiles.find(({ path }) => path.endsWith(suffix)).text.trim();
  const scriptOf = (name) => textOf(`${name}.js`).replaceAll("</script", "<\\/script");
  const page = { script: scriptOf("page"), sweep: scriptOf("sweep"), style: textOf(".css") };
  return `export default ${JSON.stringify(page)};\n`;
}
