import { readFileSync } from "node:fs";
import { suite, type Test } from "uvu";

function compile(file: string): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(new URL(`../../build/${file}`, import.meta.url)));
}

/** The release build and the debug build of the core. */
export const builds: readonly (readonly [name: string, module: WebAssembly.Module])[] = [
  ["release", compile("hmm.wasm")],
  ["debug", compile("hmm.debug.wasm")],
];

/**
 * Defines a suite for each build; run() runs them. A file whose tests take long can name the one build that
 * it tests, and leave the other one to the file beside it.
 */
export function onEachBuild(
  name: string,
  define: (test: Test, module: WebAssembly.Module) => void,
  only?: "release" | "debug",
): { run(): void } {
  const suites = builds
    .filter(([build]) => only === undefined || build === only)
    .map(([build, module]) => {
      const test = suite(`${name}, ${build}`);
      define(test, module);
      return test;
    });
  return { run: () => suites.forEach((test) => test.run()) };
}
