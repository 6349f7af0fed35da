/**
 * `heteromem/sim` in a worker of Chromium: the same reports as in Node, and generators make the same records.
 * Skipped where there is no browser; the environment variable CHROMIUM names one.
 */
import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { chromium, FLAGS } from "../../../bench/chromium.ts";
import { PROGRAM } from "../../cli/program.ts";
import { block, hmtFile, payloadOf, zstdFrame, type PlainAccess } from "../../util/hmt-bytes.ts";
import { program, type WorkerInput, type WorkerResult } from "./worker-program.ts";

const worker = suite("sim: worker");
const browser = chromium();
if (browser === null) console.log("no browser: set CHROMIUM to run heteromem/sim in a worker");

function input(): WorkerInput {
  const accesses: PlainAccess[] = PROGRAM.accesses.map(({ agent, access: [kind, address, size] }) => ({
    address,
    size,
    kind: "LSM".indexOf(kind),
    agent: agent === "cpu" ? 0 : 1,
  }));
  const payload = payloadOf(accesses);
  const packed = { records: accesses.length, codec: 1, plain: payload.length };
  const hmt = hmtFile(block(2, zstdFrame(payload), packed), block(3, new Uint8Array(32)));
  return { lackey: PROGRAM.text, hmt: Buffer.from(hmt).toString("base64") };
}

/** The worker's script: it runs the program and posts what came of it. */
async function script(): Promise<string> {
  const path = fileURLToPath(new URL("worker-program.ts", import.meta.url));
  const contents = `import { program } from ${JSON.stringify(path)};
    const post = (result) => fetch("/result", { method: "POST", body: JSON.stringify(result) });
    onmessage = ({ data }) => program(data).then(post, (error) => post({ error: String(error.stack) }));`;
  const result = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL("../../..", import.meta.url)) },
    bundle: true,
    write: false,
    format: "iife",
    platform: "browser",
    target: "es2022",
  });
  return result.outputFiles[0].text;
}

const PAGE = `<!doctype html><script type="module">
  const worker = new Worker("/worker.js");
  const post = (result) => fetch("/result", { method: "POST", body: JSON.stringify(result) });
  worker.onerror = ({ message }) => post({ error: message });
  worker.postMessage(await (await fetch("/input")).json());
</script>`;

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const part of request.setEncoding("utf8")) body += part as string;
  return body;
}

/** Runs the program in a worker of the browser. */
async function inBrowser(command: string, given: WorkerInput): Promise<WorkerResult> {
  const code = await script();
  const profile = mkdtempSync(join(tmpdir(), "heteromem-worker-"));
  let done = (_result: WorkerResult & { error?: string }): void => {};
  const result = new Promise<WorkerResult & { error?: string }>((resolve) => (done = resolve));
  const server = createServer((request, response) => {
    if (request.method === "POST") {
      void bodyOf(request).then((body) => done(JSON.parse(body) as WorkerResult));
      response.end();
    } else if (request.url === "/worker.js") {
      response.writeHead(200, { "Content-Type": "text/javascript" }).end(code);
    } else if (request.url === "/input") response.end(JSON.stringify(given));
    else response.writeHead(200, { "Content-Type": "text/html" }).end(PAGE);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const flags = [...FLAGS, `--user-data-dir=${profile}`, `http://127.0.0.1:${port}/`];
  const child = spawn(command, flags, { stdio: "ignore" });
  const late = setTimeout(() => child.kill("SIGKILL"), 120_000);
  const ended = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  void ended.then(() => done({ workloads: {}, reports: [], error: "the browser ended" }));
  try {
    const got = await result;
    if (got.error !== undefined) throw new Error(`in the browser: ${got.error}`);
    return got;
  } finally {
    clearTimeout(late);
    child.kill();
    await ended;
    server.closeAllConnections();
    server.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }
}

const test: typeof worker.skip = browser === null ? (...args) => worker.skip(...args) : worker;
test("reports and generated records are those of Node", async () => {
  const given = input();
  const here = await program(given);
  assert.ok(here.reports.every(({ faults }) => faults.device > 0));
  assert.equal(await inBrowser(browser!, given), here);
});
worker.run();
