/**
 * No dead exports: what a file exports, another file imports, and the planes use the constants of
 * assembly/uapi and assembly/abi. Offsets that both planes know agree with the core's classes.
 */
import { readFileSync } from "node:fs";
import ts from "typescript";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parse, resolveImport, sources } from "./sources.ts";

/** Files whose exports are for the outside: the package's entries, the modules' exports, the bench's rows. */
const ENTRIES = [
  "src/index.ts",
  "src/dmirror.ts",
  "src/testing.ts",
  "src/sim.ts",
  "src/lab.ts",
  "src/sim/workload/index.ts",
];
const ENTRY_FILES =
  /^assembly\/\w+\/index\.ts$|^test\/assembly\/|^test\/package\/|^examples\/|^bench\/rows\//;
const isEntry = (file: string): boolean =>
  ENTRIES.includes(file) || ENTRY_FILES.test(file) || HOOKS.has(file);
/** Files that Node or a tool loads by name, and who does. */
const HOOKS = new Map([
  ["tools/as-bind-transform.mjs", "tools/build.mjs passes it to the AssemblyScript compiler"],
  ["tools/typescript.mjs", "package.json passes it to Node"],
  ["test/mutants/first-failure.mjs", "test/mutants/run.ts passes it to Node"],
  ["src/cli/main.ts", "src/cli/sweep/pool.ts passes it to its workers; tests run main()"],
  ["bench/page.ts", "bench/chromium.ts bundles it for the browser"],
  ["test/browser/page.ts", "test/browser/bundle.ts bundles it for the browser"],
  ["test/browser/worker.ts", "test/browser/bundle.ts bundles it for the browser"],
  ["test/browser/node/fs.ts", "test/browser/bundle.ts puts it in the place of node:fs"],
  ["test/browser/node/others.ts", "test/browser/bundle.ts puts it in the place of node:os and others"],
  ["test/browser/node/globals.ts", "test/browser/bundle.ts injects it"],
  ["test/mutants/uvu.mjs", "first-failure.mjs puts it in the place of uvu"],
  ["assembly/core/base/panic.ts", "asconfig.json names its abort"],
]);

/** `*`: everything that the file exports is used. */
const used = new Map<string, Set<string>>();
const use = (file: string, name: string): void => {
  used.set(file, (used.get(file) ?? new Set()).add(name));
};

/** Notes what `file` uses through a namespace: the members that it names, or everything. */
function useNamespace(tree: ts.SourceFile, target: string, name: string): void {
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && node.text === name && !ts.isNamespaceImport(node.parent)) {
      const { parent } = node;
      use(
        target,
        ts.isPropertyAccessExpression(parent) && parent.expression === node ? parent.name.text : "*",
      );
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
}

/** Notes the modules that `file` loads with import(…): everything that they export is used. */
function noteLoaded(file: string, tree: ts.SourceFile): void {
  if (!tree.text.includes("import(")) return;
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [from] = node.arguments;
      const target = from && ts.isStringLiteral(from) ? resolveImport(file, from.text) : undefined;
      if (target !== undefined) use(target, "*");
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
}

function noteImports(file: string, tree: ts.SourceFile): void {
  noteLoaded(file, tree);
  for (const node of tree.statements) {
    if (!ts.isImportDeclaration(node) && !ts.isExportDeclaration(node)) continue;
    const from = node.moduleSpecifier;
    const target = from && ts.isStringLiteral(from) ? resolveImport(file, from.text) : undefined;
    if (target === undefined) continue;
    const bindings = ts.isImportDeclaration(node) ? node.importClause?.namedBindings : node.exportClause;
    if (ts.isImportDeclaration(node) && node.importClause?.name) use(target, "default");
    if (bindings === undefined) {
      if (ts.isExportDeclaration(node)) use(target, "*");
    } else if (ts.isNamespaceImport(bindings)) useNamespace(tree, target, bindings.name.text);
    else if (ts.isNamespaceExport(bindings)) use(target, "*");
    else for (const element of bindings.elements) use(target, (element.propertyName ?? element.name).text);
  }
}

/** Names that a file exports. */
function exportsIn(tree: ts.SourceFile): string[] {
  return tree.statements.flatMap((node) => {
    if (ts.isExportAssignment(node)) return ["default"];
    if (ts.isExportDeclaration(node)) {
      const { exportClause } = node;
      return exportClause && ts.isNamedExports(exportClause)
        ? exportClause.elements.map((element) => element.name.text)
        : [];
    }
    const flags = ts.canHaveModifiers(node) ? ts.getModifiers(node)?.map(({ kind }) => kind) : undefined;
    if (!flags?.includes(ts.SyntaxKind.ExportKeyword)) return [];
    if (flags.includes(ts.SyntaxKind.DefaultKeyword)) return ["default"];
    if (ts.isVariableStatement(node))
      return node.declarationList.declarations.map((one) => one.name.getText());
    return "name" in node && node.name ? [(node.name as ts.Identifier).text] : [];
  });
}

/** Types that a file names again: they are part of what its other exports take and return. */
function ownTypes(tree: ts.SourceFile): Set<string> {
  const names = tree.statements.flatMap((node) =>
    ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) ? node.name.text : [],
  );
  return new Set(names.filter((name) => tree.text.split(new RegExp(`\\b${name}\\b`)).length > 2));
}

interface Exporting {
  readonly exports: readonly string[];
  readonly ownTypes: ReadonlySet<string>;
}

/** What each file exports. This pass over all files also notes what they import. */
const exporting = new Map<string, Exporting>();
for (const file of sources) {
  const tree = parse(file);
  noteImports(file, tree);
  exporting.set(file, { exports: exportsIn(tree), ownTypes: ownTypes(tree) });
}
const exportsOf = (file: string): readonly string[] => exporting.get(file)!.exports;

function isUsed(file: string, name: string): boolean {
  const names = used.get(file);
  return names?.has("*") === true || names?.has(name) === true || exporting.get(file)!.ownTypes.has(name);
}

const exported = suite("tidy: exports");
exported("something imports what a file exports", () => {
  const dead = sources
    .filter((file) => !isEntry(file))
    .flatMap((file) =>
      exportsOf(file)
        .filter((name) => !isUsed(file, name))
        .map((name) => `${file}: ${name}`),
    );
  assert.equal(dead, []);
});

/** Members of CoreExports that the core does not export as functions: its memory, and what wasm.ts adds. */
const NOT_CORE = new Set(["memory", "demandWhole"]);
exported("TypeScript knows every export of the core, and calls it", () => {
  const core = exportsOf("assembly/core/index.ts").filter((name) => name !== "abort"); // the compiler's
  const known = parse("src/engine/core.ts").statements.flatMap((node) =>
    ts.isInterfaceDeclaration(node) && node.name.text === "CoreExports"
      ? node.members.map((member) => member.name!.getText()).filter((name) => !NOT_CORE.has(name))
      : [],
  );
  assert.equal(known.sort(), core.sort());
  const calls = sources
    .filter((file) => !file.startsWith("assembly/"))
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");
  assert.equal(
    core.filter((name) => !new RegExp(`\\bcore\\??\\.${name}\\b`).test(calls)),
    [],
  );
});
exported.run();

/** The text of files without comments, import declarations and the core's checks of its classes. */
function plainText(...folders: string[]): string {
  return sources
    .filter((file) => folders.some((folder) => file.startsWith(folder)))
    .map((file) =>
      readFileSync(file, "utf8")
        .replace(/^import [^;]*;$/gm, "")
        .replace(/\/\*[\s\S]*?\*\//g, "")
        .replace(/\/\/.*/g, "")
        .replace(/^if \(.*offsetof.*ERROR\(.*$/gm, ""),
    )
    .join("\n");
}
const words = (text: string): Set<string> => new Set(text.match(/[A-Z][A-Z0-9_]+/g));

const facts = suite("tidy: facts");
const core = words(plainText("assembly/core/", "assembly/text/"));
const src = words(plainText("src/"));
const factFiles = sources.filter((file) => /^assembly\/(uapi|abi)\//.test(file));

facts("a plane uses each constant of uapi and abi, or the package exports it", () => {
  const publicNames = new Set(exportsOf("src/index.ts"));
  const isPublic = (file: string, name: string): boolean =>
    publicNames.has(name) || readFileSync("src/index.ts", "utf8").includes(`export * from "../${file}"`);
  const unused = factFiles.flatMap((file) =>
    exportsOf(file)
      .filter((name) => !core.has(name) && !src.has(name) && !isPublic(file, name))
      .map((name) => `${file}: ${name}`),
  );
  assert.equal(unused, []);
});
facts("an offset is one that both planes know, or the core's own field is checked against it", () => {
  const OFFSET = /^export const (\w+) = \d+; \/\/ *(?:u8|u16|u32|u64|f64)/gm;
  const checks = sources
    .filter((file) => file.startsWith("assembly/core/"))
    .flatMap((file) => [
      ...readFileSync(file, "utf8").matchAll(/offsetof<\w+>\("\w+"\) != (\w+)\) ERROR\(/g),
    ]);
  const checked = new Set(checks.map(([, name]) => name));
  const wrong: string[] = [];
  for (const file of factFiles) {
    for (const [, name] of readFileSync(file, "utf8").matchAll(OFFSET)) {
      if (!core.has(name) && !checked.has(name)) wrong.push(`${file}: the core does not check ${name}`);
      if (!core.has(name) && !src.has(name)) wrong.push(`${file}: ${name} is private to the core`);
    }
  }
  assert.equal(wrong, []);
  assert.ok(checked.size > 30, `${checked.size} checks found`);
});
facts.run();
