/** Bundles test files into one module for the workers of a page. */
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build as bundleWith, type BuildOptions, type Plugin } from "esbuild";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const HERE = "./test/browser";
/** What stands in for modules of Node. */
const NODE: Readonly<Record<string, string>> = {
  "node:fs": "test/browser/node/fs.ts",
  "node:path": "node_modules/path-browserify/index.js",
  "node:os": "test/browser/node/others.ts",
  "node:url": "test/browser/node/others.ts",
  "node:zlib": "test/browser/node/others.ts",
  "node:crypto": "test/browser/node/others.ts",
};

/** Modules of Node that are imported and not used have nothing in them. */
const withoutNode: Plugin = {
  name: "without Node",
  setup(build) {
    build.onResolve({ filter: /^node:/ }, ({ path }) =>
      path in NODE ? { path: join(ROOT, NODE[path]) } : { path, namespace: "nothing" },
    );
    build.onLoad({ filter: /.*/, namespace: "nothing" }, ({ path }) => ({
      contents:
        "module.exports = new Proxy({}, { get: () => () => { " +
        `throw new Error("${path} is Node's"); } });`,
    }));
  },
};

/** A test file finds its neighbors by import.meta; a bundle has another one, so the file's own is put in. */
const ownPlaces: Plugin = {
  name: "own places",
  setup(build) {
    build.onLoad({ filter: /\/test\/.*\.ts$/ }, ({ path }) => {
      const name = `/${relative(ROOT, path)}`;
      const contents = readFileSync(path, "utf8")
        .replaceAll("import.meta.url", JSON.stringify(`file://${name}`))
        .replaceAll("import.meta.dirname", JSON.stringify(dirname(name)));
      return { contents, loader: "ts" };
    });
  },
};

/** The scripts of the page, as texts. */
export interface Bundle {
  /** What the page loads: page.ts. */
  page: string;
  /** What its workers load: worker.ts with all test files. */
  tests: string;
}

async function bundle(stdin: BuildOptions["stdin"]): Promise<string> {
  const { outputFiles } = await bundleWith({
    stdin,
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    define: { "process.env": "{}" },
    inject: [`${HERE}/node/globals.ts`],
    plugins: [withoutNode, ownPlaces],
    logLevel: "warning",
  });
  return outputFiles[0].text;
}

/**
 * Bundles test files.
 * @param files their paths, relative to the repository's root
 */
export async function bundleTests(files: readonly string[]): Promise<Bundle> {
  const imports = files.map((file) => `${JSON.stringify(file)}: () => import("./${file}"),`);
  const serve = `import { serve } from "${HERE}/worker.ts"; serve({ ${imports.join("\n")} });`;
  const [page, tests] = await Promise.all([
    bundle({ contents: `import { install } from "${HERE}/page.ts"; install();`, resolveDir: ROOT }),
    bundle({ contents: serve, resolveDir: ROOT }),
  ]);
  return { page, tests };
}
