/** What the engines of examples/cluster are tested with: a sweep, what one machine makes of it, a shell. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import * as assert from "uvu/assert";
import { command, file, folder, heteromem } from "../cli/command.ts";

/** The scripts that users copy. */
export const CLUSTER = resolve("examples", "cluster");

const SPEC = {
  base: {
    systemMemory: "2MiB",
    deviceMemory: "64KiB",
    backing: "metadata",
    workload: "gups:size=256KiB,updates=100",
  },
  replicate: 6,
};

/** The sweep's file, and what one machine makes of it. */
export interface Sweep {
  spec: string;
  expected: string;
}

const bin = join(folder, "bin");

/** All results of a directory. */
export const merged = (out: string): string => readFileSync(join(out, "results.ndjson"), "utf8");

/** Puts the command on the path of {@link shell} as heteromem and npx, and runs the sweep. */
export function setUpCluster(): Sweep {
  mkdirSync(bin);
  for (const [name, words] of [
    ["heteromem", '"$@"'],
    ["npx", '"${@:3}"'],
  ]) {
    writeFileSync(join(bin, name), `#!/bin/bash\nexec "${process.execPath}" "${command}" ${words}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  const spec = file("policies.yaml", JSON.stringify(SPEC));
  heteromem(["sweep", spec, "--out", join(folder, "whole"), "--quiet", "--workers", "1"]);
  return { spec, expected: merged(join(folder, "whole")) };
}

/** Runs a shell script in which heteromem, and npx of it, are the command under test. */
export function shell(script: string, variables: Record<string, string>): string {
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, ...variables };
  const { status, stdout, stderr } = spawnSync("sh", ["-c", script], { cwd: folder, env, encoding: "utf8" });
  assert.is(status, 0, stderr);
  return stdout;
}
