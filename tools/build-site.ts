/**
 * Builds the site: `node --import ./tools/typescript.mjs tools/build-site.ts`. Reads site/,
 * docs/ and src/, and the core, text and page of tools/build.mjs; writes static files to site/dist, which any
 * server of files may serve below any path.
 *
 *   site/PAGE/page.html   the page's title, description and main part → site/dist/PAGE/index.html
 *   site/PAGE/main.tsx    its script → site/dist/PAGE/main.js; with workers: site/PAGE/worker.ts
 *   site/PAGE/style.css   its style, after the shared one
 *   site/shared           what all pages have
 *   site/offline.ts       the service worker, which keeps all of it → site/dist/offline.js
 */
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { list } from "./build-step.mjs";
import { docsPages } from "./site/docs.ts";
import { framed, type Content } from "./site/frame.ts";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const SOURCE = "site";
const TARGET = "site/dist";
const PAGES = [".", "simulator", "lab"];
/** Scripts of the head of every page. */
const HEAD = ["theme.ts", "keep.ts"];
/** What the pages show, and where it lies on the site. */
const FILES = {
  "examples/programs/jacobi.lackey.gz": "examples/programs/jacobi.lackey.gz",
  "examples/programs/hashjoin.lackey.gz": "examples/programs/hashjoin.lackey.gz",
};

/** Reads a page: its title and description stand in the first elements of the file. */
function contentOf(file: string): Content {
  const text = readFileSync(file, "utf8");
  const head = /^<title>(.*?)<\/title>\s*<meta\s+name="description"\s+content="([^"]*)"\s*\/>\s*/s;
  const found = head.exec(text);
  if (found === null) throw new Error(`${file}: expected <title> and <meta name="description"> first`);
  const [whole, title, description] = found;
  return {
    title: title.trim(),
    description: description.replace(/\s+/g, " "),
    main: text.slice(whole.length),
  };
}

/** Bundles the scripts and styles into a folder. Code that several scripts have is in shared/. */
async function bundle(outdir: string): Promise<void> {
  const exists = (file: string): boolean => existsSync(file);
  const entryPoints = PAGES.flatMap((page) =>
    ["main.tsx", "worker.ts"].map((name) => join(SOURCE, page, name)).filter(exists),
  );
  const styles = ["shared", "docs", ...PAGES]
    .map((folder) => join(SOURCE, folder, "style.css"))
    .filter(exists);
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  const define = { VERSION: JSON.stringify(version) };
  const form = { bundle: true, minify: true, outdir, outbase: SOURCE, target: "es2022" } as const;
  await Promise.all([
    build({
      ...form,
      define,
      entryPoints,
      format: "esm",
      splitting: true,
      chunkNames: "shared/[name]-[hash]",
    }),
    build({ ...form, entryPoints: styles }),
    // In the head: the theme sets the colors before anything is drawn.
    build({ ...form, entryPoints: HEAD.map((name) => join(SOURCE, "shared", name)), format: "iife" }),
  ]);
}

/** Writes the service worker, which knows all files but the large ones: those are kept when they are used. */
async function buildOffline(outdir: string): Promise<void> {
  const large = (file: string): boolean => file.startsWith("docs/api/") || file.endsWith(".gz");
  const files = list(outdir)
    .map((file) => relative(outdir, file))
    .filter((file) => !large(file))
    .sort();
  const hash = createHash("sha256");
  for (const file of files) hash.update(file).update(readFileSync(join(outdir, file)));
  await build({
    bundle: true,
    minify: true,
    outdir,
    target: "es2022",
    entryPoints: [join(SOURCE, "offline.ts")],
    format: "iife",
    define: {
      // A page is asked for by its folder.
      FILES: JSON.stringify(files.map((file) => file.replace(/(^|\/)index\.html$/, "$1"))),
      CONTENTS: JSON.stringify(hash.digest("hex").slice(0, 16)),
    },
  });
}

/** Writes the reference of the API. Its search looks into comments, which name the kernel's functions. */
async function buildApi(out: string): Promise<void> {
  const { Application } = await import("typedoc");
  const app = await Application.bootstrap({
    entryPoints: ["index", "dmirror", "sim", "testing", "lab"].map((name) => `src/${name}.ts`),
    tsconfig: "tsconfig.json",
    name: "heteromem",
    readme: "none",
    searchInComments: true,
    excludeInternal: true,
    disableSources: true,
    githubPages: false,
    skipErrorChecking: true,
    logLevel: "Error",
  });
  const project = await app.convert();
  if (project === undefined) throw new Error("typedoc found no entry");
  await app.generateDocs(project, out);
}

function writePage(outdir: string, folder: string, content: Content): void {
  const own = (name: string): string[] =>
    existsSync(join(outdir, folder, name)) ? [join(folder, name)] : [];
  const style = folder.startsWith("docs/") ? ["docs/style.css"] : own("style.css");
  const place = { folder, styles: ["shared/style.css", ...style], scripts: own("main.js") };
  const file = join(outdir, folder, "index.html");
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, framed(content, place));
}

/**
 * Builds the site into a folder, whose former content is removed.
 * @param api whether with the reference of the API, which takes most of the time
 */
export async function buildSite(target = TARGET, api = true): Promise<void> {
  const staging = `build/.site-${process.pid}`;
  try {
    await bundle(staging);
    for (const page of PAGES) writePage(staging, page, contentOf(join(SOURCE, page, "page.html")));
    for (const { folder, ...content } of docsPages()) writePage(staging, folder, content);
    if (api) await buildApi(join(staging, "docs/api"));
    for (const [from, to] of Object.entries(FILES)) {
      mkdirSync(dirname(join(staging, to)), { recursive: true });
      cpSync(from, join(staging, to));
    }
    await buildOffline(staging);
    rmSync(target, { recursive: true, force: true });
    renameSync(staging, target);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildSite();
  console.log(`site: ${TARGET}`);
}
