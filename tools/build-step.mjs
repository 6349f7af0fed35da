/**
 * A step of a build runs only if its inputs have changed since it last ran. Outputs are written under a
 * temporary name and renamed, so several builds may run at once, and a reader never sees half a file. Paths
 * are relative to the project, the working directory.
 */
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative } from "node:path";

const STAMPS = "build/.stamps";

/** Lists all files under `path` (a file or a folder) whose name ends in `suffix`, in a fixed order. */
export function list(path, suffix = "") {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => list(join(path, entry.name), suffix))
    .filter((file) => file.endsWith(suffix));
}

function hashOf(files) {
  const hash = createHash("sha256");
  for (const file of files) hash.update(file).update("\0").update(readFileSync(file)).update("\0");
  return hash.digest("hex");
}

/** Runs `work` unless `outputs` exist and were made from the same `inputs`. */
export async function step(name, inputs, outputs, work) {
  const stamp = join(STAMPS, name);
  const hash = hashOf(inputs);
  const fresh =
    existsSync(stamp) && readFileSync(stamp, "utf8") === hash && outputs.every((file) => existsSync(file));
  if (fresh) return;
  const start = performance.now();
  rmSync(stamp, { force: true });
  await work();
  writeAtomic(stamp, hash);
  const sizes = outputs.map((file) => `${file} ${statSync(file).size} B`).join(", ");
  console.log(`build: ${name}: ${sizes} (${Math.round(performance.now() - start)} ms)`);
}

export const temporary = (file) => join(dirname(file), `.${process.pid}.${basename(file)}`);

export function writeAtomic(file, data) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(temporary(file), data);
  renameSync(temporary(file), file);
}

/** Moves every file of `from` to the same place under `to`. */
export function moveInto(from, to) {
  for (const file of list(from)) {
    const target = join(to, relative(from, file));
    mkdirSync(dirname(target), { recursive: true });
    renameSync(file, target);
  }
  rmSync(from, { recursive: true, force: true });
}
