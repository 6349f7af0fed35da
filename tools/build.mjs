/**
 * Builds the project: `node tools/build.mjs [--core] [--text] [--page] [--test] [--dist]` (no selection:
 * core, text, page, dist).
 *
 *   core   assembly/core/index.ts    → build/hmm.wasm, build/hmm.wasm.js, build/hmm.debug.wasm and its map
 *   text   assembly/text/index.ts    → build/text.wasm, build/text.wasm.js
 *          assembly/workload/index.ts → build/workload.wasm, build/workload.wasm.js
 *   page   src/report/page/main.ts  → build/page.js: script and style of the page of a run
 *   validators  schema/*.json        → build/validators.js, always
 *   engine the modules and src/cli/sweep/task.ts → build/engine.js, a digest of both, after any of the above
 *   test   test/assembly/*.ts        → build/test/*.wasm
 *          src/cli/main.ts           → build/test/command/ (also builds core, text and page)
 *   dist   src/{index,dmirror,testing,sim}.ts → dist/src/, file by file; src/cli/main.ts → dist/cli.js and
 *          src/lab.ts → dist/lab.js, one file each (also builds core, text and page)
 *
 * TypeScript imports a WebAssembly module by `import binary from "#hmm.wasm"` (or "#text.wasm").
 * package.json's "imports" maps the name to build/hmm.wasm.js, whose default export is a string that
 * src/engine/wasm-bytes.ts reads; src/engine/wasm-modules.d.ts types it as string. Node and esbuild
 * resolve the name in the same way, and esbuild inlines the string; in dist/ the file is dist/hmm.wasm.js.
 * Tests of the debug build read build/hmm.debug.wasm with node:fs. Its source map is for debuggers and for
 * tools/where.mjs; the module names the map by an absolute URL, because debuggers know no other base.
 *
 * A step is skipped if the hash of its inputs has not changed since it last ran (build-step.mjs).
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { buildTestCommand, bundleCommand, MODULES } from "./build-command.mjs";
import { bundleLab, labCode } from "./build-lab.mjs";
import { buildEngine } from "./build-engine.mjs";
import { notices } from "./build-notices.mjs";
import { PAGE_LIBRARY, pageModule } from "./build-page.mjs";
import { buildValidators, VALIDATORS_LIBRARY } from "./build-validators.mjs";
import { list, moveInto, step, temporary, writeAtomic } from "./build-step.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const ASC = "node_modules/assemblyscript/bin/asc.js";
const TRANSFORM = "tools/as-bind-transform.mjs";
const CORE = "assembly/core/index.ts";
const FACTS = ["assembly/uapi", "assembly/abi"];
const TEXT = "assembly/text/index.ts";
const WORKLOAD = "assembly/workload/index.ts";
/** What the page of a run takes from the simulations. */
const CAUSES = "src/sim/time/causes.ts";
const LIBRARY = ["src/index.ts", "src/dmirror.ts", "src/testing.ts", "src/sim.ts"];
/** What the library imports from packages. Each is a file of dist/vendor: the package has no dependencies. */
const VENDORED = { zstddec: "zstddec", "as-bind/dist/as-bind.esm.js": "as-bind" };
const CONFIG = ["package.json", "asconfig.json", "tools/build.mjs"];

process.chdir(ROOT);

/** The files that several modules share, and the API reads. */
const facts = () => FACTS.flatMap((folder) => list(folder, ".ts"));

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: "inherit" });
    child.on("error", reject);
    child.on("exit", (code) =>
      code === 0 ? resolve() : reject(new Error(`${basename(args[0])} failed (${code})`)),
    );
  });
}

/**
 * Compiles AssemblyScript `entry` to `output`. `embed` also writes the module as a string, `map` its source
 * map.
 */
async function compile(entry, target, output, { embed = false, map = false, args = [] } = {}) {
  const folder = temporary(output);
  const file = join(folder, basename(output));
  mkdirSync(folder, { recursive: true });
  const mapArgs = map ? ["--sourceMap", pathToFileURL(`${output}.map`).href] : [];
  await run(process.execPath, [ASC, entry, "--target", target, "--outFile", file, ...mapArgs, ...args]);
  if (embed) {
    // As src/engine/wasm-bytes.ts reads it, which says why.
    const masked = readFileSync(file).map((byte) => byte ^ 0x4b);
    writeAtomic(`${output}.js`, `export default ${JSON.stringify(masked.toString("latin1"))};\n`);
  }
  moveInto(folder, dirname(output));
}

async function buildCore() {
  if (!existsSync(CORE)) return console.log(`build: core: skipped, ${CORE} does not exist`);
  const inputs = [...CONFIG, ...facts(), ...list("assembly/core", ".ts")];
  await Promise.all([
    step("core", inputs, ["build/hmm.wasm", "build/hmm.wasm.js"], () =>
      compile(CORE, "release", "build/hmm.wasm", { embed: true }),
    ),
    step("core-debug", inputs, ["build/hmm.debug.wasm", "build/hmm.debug.wasm.map"], () =>
      compile(CORE, "debug", "build/hmm.debug.wasm", { map: true }),
    ),
  ]);
}

async function buildText() {
  if (!existsSync(TEXT)) return console.log(`build: text: skipped, ${TEXT} does not exist`);
  const inputs = [...CONFIG, TRANSFORM, ...facts(), ...list("assembly/text", ".ts")];
  const text = step("text", inputs, ["build/text.wasm", "build/text.wasm.js"], () =>
    compile(TEXT, "text", "build/text.wasm", { embed: true, args: ["--transform", `./${TRANSFORM}`] }),
  );
  await Promise.all([text, buildWorkload()]);
}

async function buildWorkload() {
  const inputs = [...CONFIG, ...facts(), ...list("assembly/workload", ".ts")];
  await step("workload", inputs, ["build/workload.wasm", "build/workload.wasm.js"], () =>
    compile(WORKLOAD, "workload", "build/workload.wasm", { embed: true }),
  );
}

/** Bundles the page of a run. */
async function buildPage() {
  const inputs = [...CONFIG, "tools/build-page.mjs", "package-lock.json", ...list("src/report"), CAUSES];
  await step("page", inputs, ["build/page.js"], async () => writeAtomic("build/page.js", await pageModule()));
}

/** Compiles the AssemblyScript modules that only tests use, which are bound like the text module. */
async function buildTest() {
  for (const entry of list("test/assembly", ".ts")) {
    const name = basename(entry, ".ts");
    const output = `build/test/${name}.wasm`;
    await step(`test-${name}`, [...CONFIG, TRANSFORM, entry], [output], () =>
      compile(entry, "text", output, { args: ["--transform", `./${TRANSFORM}`] }),
    );
  }
}

/**
 * Compiles the library file by file, so that dist/ reads as src/ does, with source maps, declarations and
 * their maps, which lead to the sources in the package. tsc keeps the `.ts` of relative imports in
 * declarations; the published ones say `.js`. The bytes of a module are a file of their own, hmm.wasm.js.
 */
async function library(outDir) {
  await run(process.execPath, [
    "node_modules/typescript/bin/tsc",
    "-p",
    "tsconfig.build.json",
    "--outDir",
    outDir,
  ]);
  for (const file of list(outDir, ".ts")) {
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace(/(from "|import\("|declare module ")(\.[^"]*)\.ts"/g, '$1$2.js"'));
  }
  for (const file of list(outDir, ".js")) {
    const text = readFileSync(file, "utf8");
    const up = relative(dirname(file), outDir);
    const own = Object.entries(VENDORED).reduce(
      (code, [name, vendored]) => code.replaceAll(`"${name}"`, `"${up}/vendor/${vendored}.js"`),
      text.replace(/ from "#(\w+\.wasm)"/g, ` from "${up}/$1.js"`),
    );
    if (own !== text) writeFileSync(file, own);
  }
}

/** Bundles each package that the library imports into a file of its own. */
async function vendor(outDir) {
  const { build } = await import("esbuild");
  const entryPoints = Object.fromEntries(Object.entries(VENDORED).map(([name, file]) => [file, name]));
  const form = { bundle: true, format: "esm", platform: "neutral", target: "node20", legalComments: "none" };
  await build({ ...form, entryPoints, outdir: join(outDir, "vendor"), mainFields: ["module", "main"] });
}

async function buildDist() {
  const missing = LIBRARY.filter((file) => !existsSync(file));
  if (missing.length > 0) return console.log(`build: dist: skipped, ${missing.join(", ")} missing`);
  const config = ["tsconfig.json", "tsconfig.build.json", "package-lock.json", "tools/build-command.mjs"];
  const inputs = [
    ...CONFIG,
    ...config,
    ...MODULES,
    "build/page.js",
    "build/engine.js",
    "build/validators.js",
    ...list("src", ".ts"),
    ...list("src", ".tsx"),
    ...facts(),
  ];
  const outputs = LIBRARY.map((file) => `dist/${file.replace(/\.ts$/, ".js")}`).concat(
    "dist/hmm.wasm",
    "dist/cli.js",
    "dist/lab.js",
  );
  await step("dist", inputs, outputs, async () => {
    const staging = `build/.dist-${process.pid}`;
    try {
      const [files, labFiles] = await Promise.all([
        bundleCommand(staging),
        bundleLab(staging),
        library(staging),
        vendor(staging),
      ]);
      for (const file of labCode(list(staging), staging)) rmSync(file);
      writeFileSync(`${staging}/hmm.wasm`, readFileSync("build/hmm.wasm"));
      writeFileSync(
        `${staging}/THIRD-PARTY.txt`,
        notices([...files, ...labFiles, PAGE_LIBRARY, VALIDATORS_LIBRARY]),
      );
      const made = new Set(list(staging).map((file) => relative(staging, file)));
      moveInto(staging, "dist");
      for (const file of list("dist")) if (!made.has(relative("dist", file))) rmSync(file, { force: true });
    } finally {
      rmSync(staging, { recursive: true, force: true });
    }
  });
}

const STEPS = {
  "--core": buildCore,
  "--text": buildText,
  "--page": buildPage,
  "--test": buildTest,
  "--dist": buildDist,
};

async function main(args) {
  const unknown = args.find((arg) => !(arg in STEPS));
  if (unknown !== undefined)
    throw new Error(`unknown option ${unknown}; known: ${Object.keys(STEPS).join(" ")}`);
  const wanted = new Set(args.length > 0 ? args : ["--core", "--text", "--page", "--dist"]);
  if (wanted.has("--dist") || wanted.has("--test")) wanted.add("--core").add("--text").add("--page");
  await buildValidators();
  await Promise.all(
    ["--core", "--text", "--page", "--test"].filter((name) => wanted.has(name)).map((name) => STEPS[name]()),
  );
  await buildEngine();
  if (wanted.has("--test")) await buildTestCommand();
  if (wanted.has("--dist")) await buildDist();
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`build: ${error.message}`);
  process.exitCode = 1;
});
