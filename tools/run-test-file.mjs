/** Runs one test file in a process of its own, for tools/test.mjs and test/browser/run.ts. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const CHILD = fileURLToPath(new URL("test-file.mjs", import.meta.url));
const TYPESCRIPT = new URL("typescript.mjs", import.meta.url).href;
/**
 * How a test file's process runs. Files run side by side, one a processor, so helpers of the garbage
 * collector have no processor to themselves: with them, files whose engines come and go take twice the
 * processor time.
 */
export const NODE_FLAGS = ["--expose-gc", "--single-threaded-gc"];
/** How long a file may take. */
export const FILE_SECONDS_MAX = Number(process.env.TEST_FILE_SECONDS ?? 600);

/** Runs one file. Resolves to { passed, failed, skipped, problems, seconds, output }; never rejects. */
export function runFile(file) {
  return new Promise((resolve) => {
    const args = [...NODE_FLAGS, "--enable-source-maps", "--import", TYPESCRIPT, CHILD, file];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe", "pipe"] });
    let output = "";
    let report = "";
    let late = false;
    child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (output += text));
    child.stdio[3].setEncoding("utf8").on("data", (text) => (report += text));
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, FILE_SECONDS_MAX * 1000);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const nothing = { passed: 0, failed: 0, skipped: 0, problems: [], seconds: 0 };
      const result = report === "" ? nothing : JSON.parse(report);
      if (late) result.problems.push(`still running after ${FILE_SECONDS_MAX} s`);
      else if (report === "")
        result.problems.push(`ended before its tests did (${signal ?? `exit code ${code}`})`);
      resolve({ ...result, output });
    });
  });
}
