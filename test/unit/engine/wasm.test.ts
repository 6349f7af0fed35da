import * as assert from "uvu/assert";
import { HDR_ARENA } from "../../../assembly/abi/header.ts";
import { boot, checkConfig } from "../../../src/engine/config.ts";
import { bindExports } from "../../../src/engine/wasm.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm } from "../../util/driver.ts";

onEachBuild("wasm", (test, module) => {
  test("the core imports nothing and exports its memory", () => {
    assert.equal(WebAssembly.Module.imports(module), []);
    const exported = WebAssembly.Module.exports(module);
    assert.equal(
      exported.filter(({ kind }) => kind !== "function"),
      [{ name: "memory", kind: "memory" }],
    );
  });

  test("a broken assertion becomes an error with its message, file and line", () => {
    const core = bindExports(new WebAssembly.Instance(module, {}).exports);
    const { mem } = boot(core, checkConfig({ systemMemory: 1 << 20, deviceMemory: 0 }));
    const error = errorOf(() => core.arenaFree(mem.header(HDR_ARENA) + 64))!;
    assert.match(
      error.message,
      /^heteromem core panic: arenaFree: .+ \(assembly\/core\/base\/arena\.ts:\d+\)$/,
    );
    assert.instance(error.cause, WebAssembly.RuntimeError);
  });

  test("engines of one module share nothing", () => {
    const [a, b] = [makeHmm(module), makeHmm(module)];
    const mm = a.createMm();
    mm.write(mm.mmap({ length: 4096 }), Uint8Array.of(1));
    assert.equal(b.mms(), []);
    assert.equal(b.snapshot(), makeHmm(module).snapshot());
  });
}).run();
