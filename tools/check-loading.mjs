/**
 * Proves that the package loads: `node tools/check-loading.mjs`. Packs it, installs the tarball into an empty
 * project, and runs test/package/loading.mjs there, which migrates a page and simulates a workload, in every
 * way that users load it: Node as a module, by require(), in a context of node:vm and in a Worker; the Nodes,
 * Deno and Bun that there are; bundled by esbuild, Rollup, webpack and Vite; and in Chromium, as a page and
 * in a SharedWorker, under a policy that allows 'wasm-unsafe-eval' alone.
 *
 * Bundlers and runtimes come from the registry; runtimes stay in build/loading. What cannot be had is one
 * line. With CI=true Node, the four bundlers and Chromium are required.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

/** Versions of what comes from the registry. */
const TOOLS = {
  esbuild: "0.28.2",
  rollup: "4.68.8",
  "@rollup/plugin-node-resolve": "16.0.3",
  webpack: "5.113.0",
  "webpack-cli": "7.3.1",
  vite: "8.4.0",
};
const RUNTIMES = { "node@22": "node", "node@24": "node", deno: "deno", bun: "bun" };
const INSTALL = ["--save", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel", "error"];
/** What the program prints, however it was loaded. */
const EXPECTED = readFileSync("test/package/loading.txt", "utf8").trim();
const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; " +
  "connect-src 'self'; img-src data:";
/** The page that has a shared worker run the program, and says what it answers. */
const ASK_SHARED = `const { port } = new SharedWorker("main.mjs", { type: "module" });
port.onmessage = ({ data }) => console.log(data);
port.start();
`;
const IS_CI = process.env.CI === "true";
const SECONDS_MAX = 120;

let passed = 0;
let failed = 0;
let skipped = 0;

function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: "utf8",
    timeout: SECONDS_MAX * 1000,
    ...options,
  });
  return { ok: status === 0, stdout: stdout ?? "", text: `${stdout ?? ""}${stderr ?? ""}${error ?? ""}` };
}

function note(name, wrong) {
  if (wrong === "") passed++;
  else failed++;
  console.log(wrong === "" ? `ok   ${name}` : `FAIL ${name}\n${wrong}`);
}

/** What cannot be tried here; where it is required, that is a failure. */
function missing(name, why, required) {
  if (required && IS_CI) return note(name, why);
  skipped++;
  console.log(`skip ${name}: ${why.trim().split("\n")[0]}`);
}

/** Notes whether a command prints what is expected. */
function check(name, command, args, cwd) {
  const { ok, stdout, text } = run(command, args, { cwd });
  note(name, ok && stdout.trim() === EXPECTED ? "" : text);
}

/** Installs packages into a folder. Returns why that failed; "" if they are there. */
function install(folder, packages) {
  mkdirSync(folder, { recursive: true });
  if (!existsSync(join(folder, "package.json")))
    writeFileSync(join(folder, "package.json"), '{"type":"module"}\n');
  const { ok, text } = run("npm", ["install", ...INSTALL, ...packages], { cwd: folder });
  return ok ? "" : text || "npm failed";
}

/** Packs the package, and installs it into an empty project. */
function project() {
  const folder = resolve(mkdtempSync(join("build", "loading-")));
  const packed = run("npm", ["pack", "--ignore-scripts", "--pack-destination", folder]);
  if (!packed.ok) throw new Error(packed.text);
  const wrong = install(folder, [join(folder, packed.stdout.trim().split("\n").at(-1))]);
  if (wrong !== "") throw new Error(wrong);
  for (const name of [
    "loading.mjs",
    "loading.cjs",
    "loading-vm.mjs",
    "loading-worker.mjs",
    "loading-main.mjs",
  ])
    cpSync(join("test/package", name), join(folder, name));
  return folder;
}

function checkNode(folder) {
  const node = process.execPath;
  check(`Node ${process.versions.node}, import`, node, ["loading-main.mjs"], folder);
  check("require()", node, ["loading.cjs"], folder);
  check("node:vm", node, ["--experimental-vm-modules", "--no-warnings", "loading-vm.mjs"], folder);
  check("Worker", node, ["loading-worker.mjs"], folder);
}

function checkRuntimes(folder) {
  for (const [name, command] of Object.entries(RUNTIMES)) {
    const home = resolve("build/loading", name);
    const path = join(home, "node_modules/.bin", command);
    const wrong = existsSync(path) ? "" : install(home, [name]);
    if (wrong !== "" || !run(path, ["--version"]).ok) {
      missing(name, wrong || "it does not start on this machine", false);
      continue;
    }
    const args = command === "deno" ? ["run", "--allow-read", "loading-main.mjs"] : ["loading-main.mjs"];
    check(name, path, args, folder);
  }
}

const VITE_CONFIG = `export default {
  build: {
    outDir: "out/vite",
    lib: { entry: "loading-main.mjs", formats: ["es"], fileName: () => "main.mjs" },
  },
};
`;

/** How each bundler makes out/NAME/main.js of loading-main.mjs, with the tools in a folder. */
const BUNDLERS = {
  esbuild: (bin) => [
    join(bin, "esbuild"),
    ["loading-main.mjs", "--bundle", "--format=esm", "--minify", "--outfile=out/esbuild/main.mjs"],
  ],
  rollup: (bin) => [
    join(bin, "rollup"),
    ["loading-main.mjs", "-p", "node-resolve", "--dir", "out/rollup", "--entryFileNames", "main.mjs"],
  ],
  webpack: (bin) => [
    join(bin, "webpack"),
    [
      "--mode",
      "production",
      "--entry",
      "./loading-main.mjs",
      "--output-path",
      "out/webpack",
      "--output-filename",
      "main.mjs",
    ],
  ],
  vite: (bin) => [join(bin, "vite"), ["build", "--config", "vite.config.mjs", "--logLevel", "error"]],
};

function checkBundlers(folder) {
  const wrong = install(
    folder,
    Object.entries(TOOLS).map(([name, version]) => `${name}@${version}`),
  );
  writeFileSync(join(folder, "vite.config.mjs"), VITE_CONFIG);
  return Object.entries(BUNDLERS).filter(([name, commandOf]) => {
    if (wrong !== "") {
      missing(name, wrong, true);
      return false;
    }
    const [command, args] = commandOf(join(folder, "node_modules/.bin"));
    const built = run(command, args, { cwd: folder });
    if (!built.ok) note(`${name}, built`, built.text);
    else check(`${name}, run by Node`, process.execPath, [`out/${name}/main.mjs`], folder);
    return built.ok;
  });
}

/** Runs a bundle in the page of a browser, under the policy. Returns what is wrong; "" if nothing is. */
async function inPage(browser, url) {
  const page = await browser.newPage();
  const words = [];
  page.on("console", (message) => words.push(message.text()));
  page.on("pageerror", (error) => words.push(String(error)));
  await page.goto(url);
  for (let i = 0; i < 100 && words.join("\n").length < EXPECTED.length; i++) await page.waitForTimeout(100);
  await page.close();
  const text = words.join("\n");
  return text === EXPECTED ? "" : text || "the page said nothing";
}

async function checkPages(folder, bundlers) {
  const names = [process.env.CHROMIUM, "chromium", "chromium-browser", "google-chrome"];
  const which = (name) => run("sh", ["-c", `command -v "${name}"`]).stdout.trim();
  const executablePath = names.map((name) => (name ? which(name) : "")).find((path) => path !== "");
  if (executablePath === undefined) return missing("Chromium", "there is no browser", true);
  const { chromium } = await import("playwright-core");
  const server = createServer((request, response) => {
    const [, name, file] = request.url.split("/");
    const isScript = file.endsWith(".mjs");
    const headers = {
      "Content-Type": isScript ? "text/javascript" : "text/html",
      "Content-Security-Policy": POLICY,
    };
    const script = file === "shared" ? "ask.mjs" : "main.mjs";
    const page =
      '<!doctype html><link rel="icon" href="data:,">' + `<script type="module" src="${script}"></script>`;
    const text = file === "ask.mjs" ? ASK_SHARED : readFileSync(join(folder, "out", name, "main.mjs"));
    response.writeHead(200, headers).end(isScript ? text : page);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
  try {
    for (const [name] of bundlers) {
      const url = `http://127.0.0.1:${server.address().port}/${name}/`;
      note(`${name}, in Chromium under the policy`, await inPage(browser, url));
      note(`${name}, in a SharedWorker under the policy`, await inPage(browser, `${url}shared`));
    }
  } finally {
    await browser.close();
    server.close();
  }
}

const folder = project();
try {
  checkNode(folder);
  checkRuntimes(folder);
  await checkPages(folder, checkBundlers(folder));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exitCode = failed === 0 ? 0 : 1;
