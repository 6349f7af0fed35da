/** Runs the program in a context of node:vm, where classes such as Uint8Array are others than outside. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import vm from "node:vm";

const { performance, setTimeout, structuredClone, TextDecoder, TextEncoder, URL, btoa, atob } = globalThis;
const context = vm.createContext({
  console,
  performance,
  setTimeout,
  structuredClone,
  TextDecoder,
  TextEncoder,
  URL,
  btoa,
  atob,
});
const loaded = new Map();

/** The module of a file, one for each file. */
function moduleOf(file) {
  if (!loaded.has(file))
    loaded.set(
      file,
      new vm.SourceTextModule(readFileSync(file, "utf8"), {
        context,
        identifier: file,
        initializeImportMeta: (meta) => (meta.url = pathToFileURL(file).href),
        importModuleDynamically: (specifier, from) => linked(fileOf(specifier, from.identifier)),
      }),
    );
  return loaded.get(file);
}

/** The file that a module imports. */
function fileOf(specifier, from) {
  return specifier.startsWith(".")
    ? resolve(dirname(from), specifier)
    : createRequire(from).resolve(specifier);
}

async function linked(file) {
  const module = moduleOf(file);
  if (module.status === "unlinked")
    await module.link((specifier, from) => moduleOf(fileOf(specifier, from.identifier)));
  if (module.status === "linked") await module.evaluate();
  return module;
}

const { namespace } = await linked(resolve("loading.mjs"));
console.log(await namespace.program());
