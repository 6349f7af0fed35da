import { readFileSync } from "node:fs";
import { suite, type Test } from "uvu";

type Build = readonly [name: "release" | "debug", module: WebAssembly.Module];

/**
 * The release build and the debug build of the core. The debug build alone if both files are the same, as
 * those of a mutant are (test/mutants/tree.ts).
 */
export const builds: readonly Build[] = load();

function load(): Build[] {
  const read = (file: string): Buffer<ArrayBuffer> =>
    readFileSync(new URL(`../../build/${file}`, import.meta.url));
  const [release, debug] = [read("hmm.wasm"), read("hmm.debug.wasm")];
  const own: Build = ["debug", new WebAssembly.Module(debug)];
  if (Buffer.compare(release, debug) === 0) return [own];
  return [["release", new WebAssembly.Module(release)], own];
}

/**
 * Defines a suite for each build; run() runs them. A file whose tests take long can name the one build that
 * it tests, and leave the other one to the file beside it.
 */
export function onEachBuild(
  name: string,
  define: (test: Test, module: WebAssembly.Module) => void,
  only?: Build[0],
): { run(): void } {
  const suites = builds
    .filter(([build]) => only === undefined || builds.length === 1 || build === only)
    .map(([build, module]) => {
      const test = suite(`${name}, ${build}`);
      define(test, module);
      return test;
    });
  return { run: () => suites.forEach((test) => test.run()) };
}
