/**
 * An asc transform that writes as-bind's binding section for current AssemblyScript.
 *
 * as-bind's runtime finds out what to convert from the custom section "as-bind_bindings": a JSON object with
 * the type names of each exported and imported function, and for each managed type its runtime id. as-bind's
 * own transform needs compiler internals that the package no longer exports; this one takes the same facts
 * from the compiler's tables of exports and imports. Everything as-bind reads has the names that as-bind gave
 * it.
 */
import { ElementKind, SourceKind } from "assemblyscript";
import { Transform } from "assemblyscript/transform";

const nameOf = (type) => type.getClass()?.internalName ?? type.toString();

/** The one instance of a function that is not generic, or null if nothing called for it. */
function instanceOf(prototype) {
  if (prototype.typeParameterNodes?.length)
    throw new Error(`cannot bind the generic function ${prototype.name}`);
  return prototype.instances?.get("") ?? null;
}

function describe(fn, typeIds) {
  const { returnType, parameterTypes } = fn.signature;
  for (const type of [returnType, ...parameterTypes]) collect(type.getClass(), typeIds);
  return { returnType: nameOf(returnType), parameters: parameterTypes.map(nameOf) };
}

/** Adds the runtime id of `type`, and of what it is made of, to `typeIds`. */
function collect(type, typeIds) {
  if (!type || type.internalName in typeIds) return;
  typeIds[type.internalName] = { id: type.id, byteSize: type.nextMemoryOffset };
  for (const argument of type.typeArguments ?? []) collect(argument.getClass(), typeIds);
}

export default class AsBindTransform extends Transform {
  afterCompile(module) {
    const { program } = this;
    const typeIds = {};
    const exportedFunctions = {};
    const importedFunctions = {};
    collect(program.arrayBufferInstance, typeIds); // what every array and typed array keeps its elements in
    collect(program.stringInstance, typeIds);
    for (const file of program.filesByName.values()) {
      if (file.source.sourceKind !== SourceKind.UserEntry) continue;
      for (const [name, element] of file.exports ?? []) {
        const fn = element.kind === ElementKind.FunctionPrototype ? instanceOf(element) : null;
        if (fn) exportedFunctions[name] = describe(fn, typeIds);
      }
    }
    for (const [from, elements] of program.moduleImports) {
      for (const [name, element] of elements) {
        if (!element.signature || (from === "env" && name === "abort")) continue; // the loader supplies abort
        (importedFunctions[from] ??= {})[name] = describe(element, typeIds);
      }
    }
    const descriptor = JSON.stringify({ typeIds, importedFunctions, exportedFunctions });
    module.addCustomSection("as-bind_bindings", new TextEncoder().encode(descriptor));
  }
}
