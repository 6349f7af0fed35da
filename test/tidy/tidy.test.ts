/**
 * The project's rules that no compiler checks: sizes of what is built, generated tables, the files that both
 * planes share, and what the package's entries reach.
 */
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build, type Metafile } from "esbuild";
import ts from "typescript";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withRules, withTables } from "../../tools/layers.ts";
import { list, parse } from "./sources.ts";

/**
 * Size in bytes, compressed, of the core: 36 KiB, and what stacks, locked mappings, refused flags and
 * long-term pins added; 1 KiB for replay records of 16 bytes, a replay path for each agent, and page tables
 * that count as memory; 4 KiB for the rules of Linux 7.3 beside those of 6.12, and folios of 16 KiB to 1 MiB;
 * 1 KiB for notifiers with tables and migrations in one operation; and 1 KiB for large folios in parts,
 * remote accesses by range and replays that page on demand; half a KiB for huge pages whose entries and parts
 * move all at once.
 */
const WASM_GZIP_MAX = 45.5 * 1024;
/**
 * … and of what a browser loads for `import "heteromem"`: JavaScript and core. The aim is 40 KiB (performance
 * row P11), which is not reached yet; this keeps it from growing meanwhile: 67 KiB, and what names for
 * numbers, descriptions, one-line objects in console.log, long-term pins and checks of drivers added; and
 * 3 KiB for calls under a held lock and their Async forms, lists of device pages, accessed bits of device
 * tables, page tables that count as system memory, and the sources of the core; 1 KiB for replay records of
 * 16 bytes with marks; 5 KiB for the rules of Linux 7.3; 1 KiB for notifiers with tables and migrations in
 * one operation; half a KiB for noting which frames change, which checkpoints need; half a KiB for replays
 * that page on demand, which are exports of the core; and 1 KiB for large folios that are dirty
 * as a whole, and huge pages that move all at once.
 */
const ENTRY_GZIP_MAX = 82 * 1024;
const ENTRIES = ["src/index.ts", "src/dmirror.ts", "src/testing.ts", "src/sim.ts"];
/** What an entry must not reach: of the simulations' entry, the command; of all others, simulations, too. */
const COMMAND_ONLY = ["src/cli/", "node_modules/"];
const SIMULATIONS_ONLY = ["src/text/", "src/sim/"];
/** What the simulations' entry loads when it is needed, and the converters of the text module. */
const OF_SIMULATIONS = ["node_modules/zstddec/", "node_modules/as-bind/"];

/** Returns the number of mutable globals of a WebAssembly binary, without imported ones. */
function mutableGlobals(binary: Uint8Array): number {
  let at = 8; // magic and version
  const byte = (): number => binary[at++];
  const leb = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const next = byte();
      value += (next & 0x7f) * 2 ** shift;
      if (next < 0x80) return value;
    }
  };
  const skipInit = (): void => {
    for (let op = byte(); op !== 0x0b; op = byte()) {
      if (op === 0x43) at += 4;
      else if (op === 0x44) at += 8;
      else if (op === 0xfd)
        at += 17; // v128.const and its bytes
      else leb(); // i32.const, i64.const, global.get
    }
  };
  while (at < binary.length) {
    const section = byte();
    const end = leb() + at;
    if (section === 6) {
      let mutable = 0;
      for (let count = leb(); count > 0; count--) {
        byte(); // type
        mutable += byte();
        skipInit();
      }
      assert.is(at, end, "the global section has been read to its end");
      return mutable;
    }
    at = end;
  }
  return 0;
}

const core = suite("tidy: core");
for (const file of ["build/hmm.wasm", "build/hmm.debug.wasm"]) {
  core(`${file} imports nothing, exports its memory, and has no mutable global`, () => {
    const binary = readFileSync(file);
    const module = new WebAssembly.Module(binary);
    assert.equal(WebAssembly.Module.imports(module), []);
    assert.ok(
      WebAssembly.Module.exports(module).some(({ name, kind }) => name === "memory" && kind === "memory"),
    );
    assert.is(mutableGlobals(binary), 0);
  });
}
core("the core is within its size budget", () => {
  const bytes = gzipSync(readFileSync("build/hmm.wasm"), { level: 9 }).length;
  assert.ok(bytes <= WASM_GZIP_MAX, `${bytes} bytes, ${WASM_GZIP_MAX} allowed`);
});
core("the check for mutable globals finds those of the text module", () => {
  assert.ok(mutableGlobals(readFileSync("build/text.wasm")) > 0);
});
core.run();

const docs = suite("tidy: tables");
docs("docs/architecture.md has the tables of today's folders; npm run layers writes them", () => {
  const page = readFileSync("docs/architecture.md", "utf8");
  assert.is(withTables(page), page);
});
docs("docs/linux.md has the table of the rules in which the kernels differ; npm run layers writes it", () => {
  const page = readFileSync("docs/linux.md", "utf8");
  assert.is(withRules(page), page);
  assert.match(page, /\| `exclusiveGoesPageByPage` \|/);
});
docs.run();

const uapi = suite("tidy: uapi");
const facts = ["assembly/uapi", "assembly/abi"].flatMap(list);
uapi("files have no imports, types, decorators or enums", () => {
  const wrong: string[] = [];
  for (const file of facts) {
    const visit = (node: ts.Node): void => {
      const bad =
        ts.isImportDeclaration(node) ||
        ts.isEnumDeclaration(node) ||
        ts.isDecorator(node) ||
        ts.isTypeNode(node) ||
        (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined);
      if (bad) wrong.push(`${file}: ${node.getText().slice(0, 60)}`);
      ts.forEachChild(node, visit);
    };
    visit(parse(file));
  }
  assert.ok(facts.length > 0);
  assert.equal(wrong, []);
});
uapi("files compile as TypeScript", () => {
  const options = {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    types: [],
    skipLibCheck: true,
  };
  const found = ts.getPreEmitDiagnostics(ts.createProgram(facts, options));
  assert.equal(
    found.map(
      ({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`,
    ),
    [],
  );
});
uapi.run();

const entry = suite("tidy: entries");

async function bundle(file: string): Promise<{ code: Uint8Array; metafile: Metafile }> {
  const options = {
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "neutral",
  } as const;
  const result = await build({ ...options, entryPoints: [file], target: "node20", external: ["node:*"] });
  return { code: result.outputFiles[0].contents, metafile: result.metafile };
}

for (const file of ENTRIES) {
  entry(`${file} reaches neither Node's modules nor the command's`, async () => {
    const { metafile } = await bundle(file);
    const reached = Object.entries(metafile.inputs);
    const simulations = file === "src/sim.ts";
    const isOneOf = (folders: readonly string[], path: string): boolean =>
      folders.some((folder) => path.startsWith(folder));
    const forbidden = simulations ? COMMAND_ONLY : [...COMMAND_ONLY, ...SIMULATIONS_ONLY];
    const allowed = simulations ? OF_SIMULATIONS : [];
    assert.equal(
      reached.map(([path]) => path).filter((path) => isOneOf(forbidden, path) && !isOneOf(allowed, path)),
      [],
    );
    const outside = reached.flatMap(([path, { imports }]) =>
      imports
        .filter((item) => item.external && item.path !== "<runtime>")
        .map((item) => `${path} imports ${item.path}`),
    );
    assert.equal(outside, []);
  });
}
entry("the engine is small enough for a browser", async () => {
  const { code } = await bundle(ENTRIES[0]);
  const bytes = gzipSync(code, { level: 9 }).length;
  assert.ok(bytes <= ENTRY_GZIP_MAX, `${bytes} bytes, ${ENTRY_GZIP_MAX} allowed`);
});
entry.run();
