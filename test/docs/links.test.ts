/** Links between pages lead somewhere, in the repository and in the package. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const IGNORED = ["node_modules", "build", "dist", "coverage", ".git"];

function pagesUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !IGNORED.includes(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? pagesUnder(path) : path.endsWith(".md") ? [path] : [];
    });
}

/** Returns the files that a page links to. */
function linksOf(page: string): string[] {
  const text = readFileSync(page, "utf8").replace(/^```.*?^```$/gms, "");
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target.split("#")[0])
    .filter((target) => target !== "" && !/^[a-z]+:/.test(target))
    .map((target) => normalize(join(dirname(page), target)));
}

const { files } = JSON.parse(readFileSync("package.json", "utf8")) as { files: string[] };
const inPackage = (path: string): boolean =>
  files.some((entry) => path === entry || path.startsWith(`${entry}/`)) && existsSync(path);

const pages = pagesUnder(".");
const links = suite("docs: links");

links("every link leads to a file", () => {
  const dead = pages.flatMap((page) =>
    linksOf(page)
      .filter((target) => !existsSync(target))
      .map((target) => `${page}: ${target}`),
  );
  assert.ok(pages.includes("README.md") && linksOf("README.md").length > 0);
  assert.equal(dead, []);
});
links("a page in the package links only to files in the package", () => {
  const outside = pages.filter(inPackage).flatMap((page) =>
    linksOf(page)
      .filter((target) => !inPackage(target))
      .map((target) => `${page}: ${target}`),
  );
  assert.ok(inPackage("README.md") && inPackage("docs/run.md") && !inPackage("docs/architecture.md"));
  assert.equal(outside, []);
});

links.run();
