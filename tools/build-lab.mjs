/** The lab in the package: dist/lab.js, one file for a page to load, and declarations. */
import { build } from "esbuild";

/**
 * Bundles the lab, with the engine and Preact: a page needs this file alone. Returns the paths of all files
 * in it.
 */
export async function bundleLab(outdir) {
  const result = await build({
    bundle: true,
    format: "esm",
    platform: "neutral",
    target: "es2022",
    minify: true,
    outdir,
    entryPoints: { lab: "src/lab.ts" },
    mainFields: ["module", "main"],
    conditions: ["browser"],
    sourcemap: true,
    sourcesContent: false,
    legalComments: "none",
    metafile: true,
  });
  return Object.keys(result.metafile.inputs);
}

/**
 * Returns those of the library's files that are the code of the lab: it is in dist/lab.js, and the package
 * has only its declarations.
 */
export function labCode(files, outdir) {
  const own = (file) => file.startsWith(`${outdir}/src/lab/`) || file.startsWith(`${outdir}/src/lab.`);
  return files.filter((file) => own(file) && !/\.d\.ts(\.map)?$/.test(file));
}
