/**
 * Folders are layers, which tools/layers.ts lists: imports point from a folder to those below it, and never
 * in a circle. An import names its file with the extension.
 */
import { dirname } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CORE_LAYERS, layerOf, SRC_LAYERS } from "../../tools/layers.ts";
import { importsOf, list, resolveImport, sources } from "./sources.ts";

/**
 * Returns the imports in `tree` from a layer above the file's own. `layers` are folders from the bottom up.
 */
function layerErrors(tree: string, layers: readonly string[]): string[] {
  const rank = (file: string): number => layers.indexOf(layerOf(tree, file));
  return list(tree)
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => {
      if (rank(file) < 0) return [`${file}: its folder is not in tools/layers.ts`];
      return importsOf(file)
        .map((from) => resolveImport(file, from))
        .filter((target) => target?.startsWith(`${tree}/`) && rank(target) > rank(file))
        .map((target) => `${file} imports ${target}`);
    });
}

/** Returns the import circles among the files of `tree`, types included, each as its list of files. */
function circles(tree: string): string[] {
  const state = new Map<string, "open" | "done">();
  const found: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === "done") return;
    if (state.get(file) === "open") {
      found.push([...path.slice(path.indexOf(file)), file].join(" -> "));
      return;
    }
    state.set(file, "open");
    for (const from of importsOf(file)) {
      const target = resolveImport(file, from);
      if (target?.startsWith(`${tree}/`) && target.endsWith(".ts")) visit(target, [...path, file]);
    }
    state.set(file, "done");
  };
  for (const file of list(tree)) if (file.endsWith(".ts")) visit(file, []);
  return found;
}

const test = suite("tidy: layers");
test("core: imports point from a folder to the ones below it, and never in a circle", () => {
  assert.equal(layerErrors("assembly/core", CORE_LAYERS), []);
  assert.equal(circles("assembly/core"), []);
});
test("src: imports point from a folder to the ones below it, and never in a circle, types included", () => {
  assert.equal(layerErrors("src", SRC_LAYERS), []);
  assert.equal(circles("src"), []);
});
test("a TypeScript import names its file with the extension", () => {
  const wrong = sources
    .filter((file) => !file.startsWith("assembly/") && dirname(file) !== "test/assembly")
    .flatMap((file) => importsOf(file).map((from) => [file, from]))
    .filter(([, from]) => /^\.\.?\//.test(from) && !/\.(tsx?|mjs|js|json)$/.test(from));
  assert.equal(wrong, []);
});
test.run();
