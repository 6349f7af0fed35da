/**
 * Compiles a strict consumer (test/package/consumer.ts) against the packed package: `node
 * tools/check-consumers.mjs`. Each version of TypeScript checks the package's own declarations, too
 * (skipLibCheck is off), with and without the DOM's types and ESNext.Disposable. Versions that are no
 * dependency of the project come from the registry and stay in build/compilers.
 *
 * Then runs test/package/mistakes.mjs, programs whose callbacks make a mistake: what Node prints of the
 * uncaught error must be short, and name the line of the mistake.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

const OWN = JSON.parse(readFileSync("node_modules/typescript/package.json", "utf8")).version;
const VERSIONS = ["5.4.5", OWN, "7.0.2"];
const LIBS = [["ES2022"], ["ES2022", "ESNext.Disposable"], ["ES2022", "ESNext.Disposable", "DOM"]];
/** What every configuration compiles, and what only the one with the DOM does. */
const CONSUMERS = ["consumer.ts", "consumer-dom.ts"];
/** The programs of mistakes.mjs. */
const MISTAKES = ["update", "release", "invalidate", "fault", "argument", "rejection"];
const OPTIONS = {
  target: "ES2022",
  types: [],
  module: "NodeNext",
  moduleResolution: "NodeNext",
  strict: true,
  noEmit: true,
  skipLibCheck: false,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
};

function run(command, args, options = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", ...options });
  return { status, stdout, text: `${stdout ?? ""}${stderr ?? ""}` };
}

function demand(what, { status, stdout, text }) {
  if (status !== 0) throw new Error(`${what} failed:\n${text}`);
  return stdout;
}

/** The path of the tsc of a version. */
function compilerOf(version) {
  const folder = version === OWN ? "." : `build/compilers/${version}`;
  const tsc = `${folder}/node_modules/typescript/bin/tsc`;
  if (!existsSync(tsc)) {
    mkdirSync(folder, { recursive: true });
    const args = [
      "install",
      "--prefix",
      folder,
      "--no-save",
      "--no-audit",
      "--no-fund",
      `typescript@${version}`,
    ];
    demand(`installing typescript ${version}`, run("npm", args));
  }
  return tsc;
}

/** Packs the package into node_modules of `folder`. */
function installPackage(folder) {
  const packed = demand("npm pack", run("npm", ["pack", "--ignore-scripts", "--pack-destination", folder]));
  const tarball = packed.trim().split("\n").at(-1);
  const target = join(folder, "node_modules/heteromem");
  mkdirSync(target, { recursive: true });
  demand("tar", run("tar", ["-xzf", join(folder, tarball), "-C", target, "--strip-components=1"]));
}

const TRACE_LINES = 30;
const LINE_BYTES = 240;

/** Returns what is wrong with what Node prints of the uncaught error of a program; "" if nothing is. */
function whatIsWrong(folder, mistake) {
  const { status, text } = run(process.execPath, ["mistakes.mjs", mistake], { cwd: folder });
  const lines = text.trimEnd().split("\n");
  if (status !== 1) return `ended with ${status}`;
  if (lines.length >= TRACE_LINES) return `${lines.length} lines, below ${TRACE_LINES} expected`;
  const long = lines.find((line) => line.length > LINE_BYTES);
  if (long !== undefined) return `a line of ${long.length} characters`;
  return /mistakes\.mjs:\d+:\d+/.test(text) ? "" : "the program's own line is not named";
}

let passed = 0;
let failed = 0;
const folder = mkdtempSync(join("build", "consumer-"));
try {
  installPackage(folder);
  for (const file of CONSUMERS) cpSync(join("test/package", file), join(folder, file));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
  for (const version of VERSIONS) {
    const tsc = compilerOf(version);
    for (const lib of LIBS) {
      const config = {
        compilerOptions: { ...OPTIONS, lib },
        files: lib.includes("DOM") ? CONSUMERS : CONSUMERS.slice(0, 1),
      };
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
      const { status, text } = run(process.execPath, [tsc, "-p", folder]);
      if (status === 0) passed++;
      else failed++;
      console.log(
        `${status === 0 ? "ok  " : "FAIL"} TypeScript ${version}, lib ${lib.join(" ")}\n${text}`.trimEnd(),
      );
    }
  }
  cpSync("test/package/mistakes.mjs", join(folder, "mistakes.mjs"));
  for (const mistake of MISTAKES) {
    const wrong = whatIsWrong(folder, mistake);
    if (wrong === "") passed++;
    else failed++;
    console.log(wrong === "" ? `ok   mistake: ${mistake}` : `FAIL mistake: ${mistake}: ${wrong}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
