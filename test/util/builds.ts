import { readFileSync } from "node:fs";
import { suite, type Test } from "uvu";

function compile(file: string): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(new URL(`../../build/${file}`, import.meta.url)));
}

/** The core as it ships and as it is debugged: the same tests run on both. */
export const builds: readonly (readonly [name: string, module: WebAssembly.Module])[] = [
  ["release", compile("hmm.wasm")],
  ["debug", compile("hmm.debug.wasm")],
];

/** Defines and runs one suite a build. */
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
