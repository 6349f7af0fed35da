/** Where the core comes from: `Hmm.create({ wasm })`. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Hmm, type WasmSource } from "../../../src/index.ts";
import { errorOf, rejectionOf } from "../../util/driver.ts";

const SMALL = { systemMemory: 1 << 20, deviceMemory: 0 };
const FILE = new URL("../../../build/hmm.wasm", import.meta.url);
const bytes = readFileSync(FILE);
/** The smallest module: a header. */
const EMPTY = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);

const test = suite("wasm-source");

/** Serves the core at /hmm.wasm, another module at /empty.wasm, and text at /text. */
async function serve<T>(body: (base: string) => Promise<T>): Promise<T> {
  const files: Record<string, Uint8Array | string> = {
    "/hmm.wasm": bytes,
    "/empty.wasm": EMPTY,
    "/text": "no module",
  };
  const server = createServer(({ url }, response) => {
    const file = files[url ?? ""];
    response.statusCode = file === undefined ? 404 : 200;
    response.end(file);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return await body(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("a module, bytes of any kind, a URL, a Response and its promise make an engine", async () => {
  await serve(async (base) => {
    const url = `${base}/hmm.wasm`;
    const sources: Record<string, WasmSource> = {
      module: new WebAssembly.Module(bytes),
      Uint8Array: new Uint8Array(bytes),
      ArrayBuffer: new Uint8Array(bytes).buffer,
      DataView: new DataView(new Uint8Array(bytes).buffer),
      string: url,
      URL: new URL(url),
      Response: await fetch(url),
      promise: fetch(url),
    };
    for (const [name, wasm] of Object.entries(sources)) {
      const hmm = await Hmm.create({ ...SMALL, wasm });
      const mm = hmm.createMm();
      const addr = mm.mmap({ length: 4096 });
      mm.store32(addr, 42);
      assert.is(mm.load32(addr), 42, name);
      assert.instance(hmm.module, WebAssembly.Module);
    }
  });
});

test("createSync takes a module or bytes; `module` is another name", () => {
  const module = new WebAssembly.Module(bytes);
  assert.is(Hmm.createSync({ ...SMALL, wasm: module }).module, module);
  assert.is(Hmm.createSync({ ...SMALL, module }).module, module);
  assert.is(Hmm.createSync(module, SMALL).module, module);
  assert.instance(Hmm.createSync({ ...SMALL, wasm: bytes }).module, WebAssembly.Module);
  assert.match(
    errorOf(() => Hmm.createSync({ ...SMALL, wasm: "https://example.org/hmm.wasm" }))!.message,
    /Hmm\.createSync: wasm must be a WebAssembly\.Module, got "https:/,
  );
  assert.match(
    errorOf(() => Hmm.createSync({ ...SMALL, wasm: module, module }))!.message,
    /module must be left out where wasm is given/,
  );
});

test("what is no core, or cannot be loaded, is a TypeError that says so", async () => {
  await serve(async (base) => {
    const wrong: [unknown, RegExp][] = [
      [EMPTY, /wasm must be heteromem's core \(heteromem\/hmm\.wasm\), got another module/],
      [Uint8Array.of(1, 2, 3), /wasm must be a WebAssembly module: /],
      [`${base}/empty.wasm`, /got another module/],
      [`${base}/text`, /wasm must be a WebAssembly module: /],
      [`${base}/missing`, /wasm cannot be loaded from "http.*\/missing": HTTP status 404/],
      [new URL(FILE), /wasm cannot be loaded from "file:.*; pass the file's bytes instead/],
      ["no url", /wasm cannot be loaded from "no url"/],
      [{ then: (_: unknown, reject: (e: Error) => void) => reject(new Error("offline")) }, /loaded: offline/],
      [7, /wasm must be a WebAssembly\.Module, its bytes, a URL or a Response, got 7/],
      [null, /wasm must be .*, got null/],
      [{}, /wasm must be .*, got an object/],
    ];
    for (const [wasm, message] of wrong) {
      const error = await rejectionOf(() => Hmm.create({ ...SMALL, wasm: wasm as WasmSource }));
      assert.instance(error, TypeError, String(wasm));
      assert.match(error!.message, message);
    }
  });
});

test.run();
