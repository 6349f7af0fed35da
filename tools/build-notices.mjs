/** The notices of other packages, which the package carries. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Returns the notices of the packages whose code the command contains, bundled or compiled into a WebAssembly
 * module.
 */
export function notices(files) {
  const bundled = files.flatMap((file) => /.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []);
  return [...new Set([...bundled, "node_modules/assemblyscript"])]
    .sort()
    .map((folder) => {
      const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
      const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
      const text = file ? readFileSync(join(folder, file), "utf8").trim() : license;
      return `${name} ${version} (${license})\n\n${text}\n`;
    })
    .join(`\n${"-".repeat(80)}\n\n`);
}
