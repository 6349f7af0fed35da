/** What a consumer can write where the DOM's types and ESNext.Disposable are declared (see consumer.ts). */
import { Hmm, migratePfn, type Migration } from "heteromem";

/** `using` closes the package's objects, and modules have their real type. */
export function scoped(hmm: Hmm): WebAssembly.Module {
  using mm = hmm.createMm();
  using sem = mm.mmapSem.read();
  const disposable: Disposable = mm;
  const module: WebAssembly.Module = hmm.module;
  disposable[Symbol.dispose]();
  return sem.held ? module : Hmm.createSync(module).module;
}

/** The words of a migration are arrays over an ArrayBuffer. */
export function fill(m: Migration): ArrayBufferLike {
  m.dst.set([migratePfn(2)]);
  return m.dst.slice().buffer;
}
