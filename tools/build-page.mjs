/** Bundles the page of a run: build/page.js has its script and its style as text. */

/** The page's script, its style, and what the script contains of packages. */
const PAGE = "src/report/page/main.ts";
const STYLE = "src/report/page/style.css";
export const PAGE_LIBRARY = "node_modules/uplot/dist/uPlot.esm.js";

/** Returns the text of a module whose default export is the page's script and style. */
export async function pageModule() {
  const { build } = await import("esbuild");
  const entryPoints = { page: PAGE, style: STYLE };
  const form = { bundle: true, minify: true, write: false, format: "iife", target: "es2022" };
  const { outputFiles } = await build({ ...form, entryPoints, outdir: "page", legalComments: "inline" });
  const textOf = (suffix) => outputFiles.find(({ path }) => path.endsWith(suffix)).text.trim();
  const page = { script: textOf(".js").replaceAll("</script", "<\\/script"), style: textOf(".css") };
  return `export default ${JSON.stringify(page)};\n`;
}
