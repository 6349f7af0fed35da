/**
 * Compiles the schemas of files that users write: build/validators.js has a function for each. Values are so
 * checked without the library, whose start takes longer than many a run, and without eval.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { build } from "esbuild";
import { step, writeAtomic } from "./build-step.mjs";

const SCHEMAS = ["config", "model", "sweep"];
const OUTPUT = "build/validators.js";

/** What build/validators.js contains of packages. */
export const VALIDATORS_LIBRARY = "node_modules/ajv/dist/runtime/ucs2length.js";

/** Reads a schema without its words, which decide nothing. */
function schemaOf(name) {
  const isWord = (key, value) => (key === "description" || key === "title") && typeof value === "string";
  return JSON.parse(readFileSync(`schema/${name}.schema.json`, "utf8"), (key, value) =>
    isWord(key, value) ? undefined : value,
  );
}

/** Returns the text of build/validators.js. */
async function validatorsModule() {
  const require = createRequire(import.meta.url);
  const { Ajv } = require("ajv");
  const { default: standalone } = require("ajv/dist/standalone");
  const ajv = new Ajv({ allowUnionTypes: true, strict: true, code: { source: true, esm: true } });
  const names = {};
  for (const name of SCHEMAS) {
    ajv.addSchema(schemaOf(name), name);
    names[name] = name;
  }
  const { outputFiles } = await build({
    stdin: { contents: standalone(ajv, names), resolveDir: "." },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "neutral",
    mainFields: ["main"],
    target: "node20",
    legalComments: "inline",
  });
  return outputFiles[0].text;
}

/** Writes build/validators.js, unless nothing of it has changed. */
export async function buildValidators() {
  const schemas = SCHEMAS.map((name) => `schema/${name}.schema.json`);
  const inputs = ["package-lock.json", "tools/build-validators.mjs", ...schemas];
  await step("validators", inputs, [OUTPUT], async () => writeAtomic(OUTPUT, await validatorsModule()));
}
