/** Runs tools/test.mjs on a folder of fixtures. */
import { spawnSync } from "node:child_process";

interface Run {
  status: number | null;
  last: string;
  output: string;
}

/** Runs a fixture's files; `ci` is the variable CI. */
export function run(fixture: string, filters: string[] = [], ci = ""): Run {
  const args = ["tools/test.mjs", "--root", `test/runner/fixtures/${fixture}`, ...filters];
  const env = { ...process.env, CI: ci };
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8", env });
  return { status, last: stdout.trimEnd().split("\n").at(-1) ?? "", output: stdout };
}
