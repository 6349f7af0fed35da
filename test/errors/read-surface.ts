/**
 * Reads the package's public calls from its types. Leaves out what the published types leave out, which is
 * tagged `@internal`.
 */
import ts from "typescript";
import type { Callable } from "./surface.ts";

const options = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  lib: ["lib.es2022.d.ts", "lib.esnext.disposable.d.ts", "lib.dom.d.ts"],
  types: [],
  allowImportingTsExtensions: true,
  noEmit: true,
  strict: true,
  skipLibCheck: true,
};

const internal = (symbol: ts.Symbol): boolean =>
  symbol.getJsDocTags().some(({ name }) => name === "internal") ||
  (symbol.declarations ?? []).some((node) => /\/\*\*\s*@internal/.test(leading(node)));

/**
 * Returns the comments before a node. Comments of a parameter or of a type literal's member are no JSDoc
 * tags.
 */
function leading(node: ts.Node): string {
  return node.getSourceFile().text.slice(node.getFullStart(), node.getStart());
}

const ours = (symbol: ts.Symbol): boolean =>
  (symbol.declarations ?? []).some((node) => !node.getSourceFile().fileName.includes("node_modules"));

/** Returns the calls of each entry, by the entry. */
export function readSurface(entries: readonly string[]): Record<string, Callable[]> {
  const program = ts.createProgram([...entries, "src/engine/wasm-modules.d.ts"], options);
  const surfaces = entries.map((entry) => {
    const reader = new Reader(program.getTypeChecker());
    reader.entry(program.getSourceFile(entry)!);
    return [entry, [...reader.found.values()]] as [string, Callable[]];
  });
  return Object.fromEntries(surfaces);
}

class Reader {
  readonly found = new Map<string, Callable>();
  readonly #checker: ts.TypeChecker;

  constructor(checker: ts.TypeChecker) {
    this.#checker = checker;
  }

  entry(file: ts.SourceFile): void {
    for (const exported of this.#checker.getExportsOfModule(this.#checker.getSymbolAtLocation(file)!)) {
      const alias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
      const symbol = alias ? this.#checker.getAliasedSymbol(exported) : exported;
      if (internal(symbol)) continue;
      if ((symbol.flags & ts.SymbolFlags.Class) !== 0) this.#class(symbol);
      else if ((symbol.flags & ts.SymbolFlags.Value) !== 0) {
        this.#signatures(symbol.name, this.#checker.getTypeOfSymbol(symbol).getCallSignatures());
      }
    }
  }

  #class(symbol: ts.Symbol): void {
    const { name } = symbol;
    const statics = this.#checker.getTypeOfSymbol(symbol);
    const declared = statics.getConstructSignatures().filter(({ declaration }) => isPublic(declaration));
    this.#signatures(`new ${name}`, declared);
    for (const member of statics.getProperties()) this.#member(`${name}.`, member);
    for (const member of this.#checker.getDeclaredTypeOfSymbol(symbol).getProperties()) {
      this.#member(`${name}#`, member);
    }
  }

  #member(prefix: string, member: ts.Symbol): void {
    if (internal(member) || !ours(member) || isPrivate(member) || member.name.startsWith("__@")) return;
    if ((member.flags & ts.SymbolFlags.Prototype) !== 0) return;
    const key = prefix + member.name;
    if ((member.flags & ts.SymbolFlags.GetAccessor) !== 0) this.#add(key, []);
    if ((member.flags & ts.SymbolFlags.SetAccessor) !== 0) this.#add(`${key}=`, ["value"]);
    if ((member.flags & ts.SymbolFlags.Method) === 0) return;
    this.#signatures(key, this.#checker.getTypeOfSymbol(member).getCallSignatures());
  }

  #signatures(key: string, signatures: readonly ts.Signature[]): void {
    if (signatures.length === 0) return;
    const parameters = signatures.flatMap((signature) =>
      signature.parameters.flatMap((p) => this.#parameter(p)),
    );
    this.#add(key, [...new Set(parameters)]);
  }

  #add(key: string, parameters: string[]): void {
    this.found.set(key, { key, parameters });
  }

  /** Returns the parameter and, recursively, the members of an options object. */
  #parameter(parameter: ts.Symbol): string[] {
    if (internal(parameter)) return [];
    const type = this.#checker.getNonNullableType(this.#checker.getTypeOfSymbol(parameter));
    const parts = type.isIntersection() ? type.types : [type];
    if (!parts.every((part) => isBag(part))) return [parameter.name];
    const members = type.getProperties().filter((member) => !internal(member));
    // An options object without a public member is not public.
    if (members.length === 0) return [];
    const inner = members.flatMap((member) => this.#parameter(member));
    return [parameter.name, ...inner.map((name) => `${parameter.name}.${name}`)];
  }
}

function isPrivate(member: ts.Symbol): boolean {
  const declaration = member.valueDeclaration;
  const name = declaration === undefined ? undefined : ts.getNameOfDeclaration(declaration);
  return name !== undefined && ts.isPrivateIdentifier(name);
}

/** Whether users may call a constructor. */
function isPublic(declaration: ts.Declaration | undefined): boolean {
  if (declaration === undefined) return true;
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  if ((ts.getCombinedModifierFlags(declaration) & hidden) !== 0) return false;
  return !/@internal/.test(leading(declaration));
}

/**
 * Whether a type is an options object: an interface or literal type of the package, whose members are
 * arguments.
 */
function isBag(type: ts.Type): boolean {
  const symbol = type.getSymbol();
  // Omit<…> and similar utility types of an options object.
  if (type.aliasSymbol !== undefined && !ours(type.aliasSymbol)) {
    const members = type.getProperties();
    return members.length > 0 && members.every(ours);
  }
  if (symbol === undefined || !ours(symbol) || (type.flags & ts.TypeFlags.Object) === 0) return false;
  const kinds = ts.SymbolFlags.Interface | ts.SymbolFlags.TypeLiteral;
  return (symbol.flags & kinds) !== 0 && type.getCallSignatures().length === 0;
}
