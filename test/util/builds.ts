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

/** Defines a suite for each build; run() runs them. */
export function onEachBuild(
  name: string,
  define: (test: Test, module: WebAssembly.Module) => void,
): { run(): void } {
  const suites = builds.map(([build, module]) => {
    const test = suite(`${name}, ${build}`);
    define(test, module);
    return test;
  });
  return { run: () => suites.forEach((test) => test.run()) };
}
