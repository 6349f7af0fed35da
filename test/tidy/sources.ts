/** The project's own source files, and what they import: shared by the tests of this folder. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";

/** All files under a folder, or the file itself, in order of their names. */
export function list(path: string): string[] {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => list(join(path, name)));
}

const FOLDERS = ["assembly", "src", "test", "tools", "bench", "examples", "site"];

/** Every TypeScript, AssemblyScript and .mjs file, test fixtures and what is built excepted. */
export const sources = FOLDERS.flatMap(list).filter(
  (file) => /\.(tsx?|mjs)$/.test(file) && !file.includes("fixtures") && !file.startsWith("site/dist"),
);

/** The C programs and headers. */
export const cSources = FOLDERS.flatMap(list).filter((file) => /\.[ch]$/.test(file));

/** Comments are not parsed, which would take half of the time. */
const OPTIONS: ts.CreateSourceFileOptions = {
  languageVersion: ts.ScriptTarget.Latest,
  jsDocParsingMode: ts.JSDocParsingMode.ParseNone,
};
/** The syntax tree of a file. Keeping many of them costs more time than parsing a file again. */
export const parse = (file: string): ts.SourceFile =>
  ts.createSourceFile(file, readFileSync(file, "utf8"), OPTIONS, true);

const imports = new Map<string, readonly string[]>();

/** What a file's import and export declarations import from, as they say it. Each file is parsed once. */
export function importsOf(file: string): readonly string[] {
  const known = imports.get(file);
  if (known !== undefined) return known;
  const found = parse(file)
    .statements.filter((node) => ts.isImportDeclaration(node) || ts.isExportDeclaration(node))
    .flatMap(({ moduleSpecifier }) =>
      moduleSpecifier && ts.isStringLiteral(moduleSpecifier) ? moduleSpecifier.text : [],
    );
  imports.set(file, found);
  return found;
}

/** The file that an import of `file` names; undefined for a package. */
export function resolveImport(file: string, from: string): string | undefined {
  if (!from.startsWith(".")) return undefined;
  const path = join(dirname(file), from);
  return /\.(tsx?|mjs|json|css)$/.test(path) ? path : `${path}.ts`;
}
