/**
 * Chromium for P16. This module bundles a page with the rows and serves it. The page posts its message to
 * /next, and the response carries the next order. The bench needs no other connection to the browser.
 */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build as bundle } from "esbuild";
import type { Plugin } from "esbuild";
import type { Sample } from "./harness.ts";

/** A message of the page: it offers a program of a row, reports a repetition, has finished, or has failed. */
export interface Message {
  readonly offers?: string;
  readonly sample?: Sample;
  readonly finished?: boolean;
  readonly error?: string;
}

/** An order to the page: run a repetition, or go on to the next program. */
export type Order = "run" | "go on";

/** Options of the browser: no window, and nothing in the background. */
export const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--disable-renderer-backgrounding",
  "--no-first-run",
];

/**
 * Returns the browser's command, or null if there is none. The environment variable CHROMIUM names another
 * one.
 */
export function chromium(): string | null {
  const names = [process.env.CHROMIUM, "chromium", "chromium-browser", "google-chrome"];
  return names.find((name) => name !== undefined && spawnSync(name, ["--version"]).status === 0) ?? null;
}

/** Replaces imports of Node's modules by functions that do nothing, so the page finds no C compiler. */
const withoutNode: Plugin = {
  name: "without Node",
  setup(build) {
    build.onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: "nothing" }));
    build.onLoad({ filter: /.*/, namespace: "nothing" }, () => ({
      contents: "module.exports = Object.create(new Proxy({}, { get: () => () => ({}) }))",
    }));
  },
};

async function script(smoke: boolean): Promise<string> {
  const page = fileURLToPath(new URL("page.ts", import.meta.url));
  const result = await bundle({
    stdin: {
      contents: `import { runRows } from ${JSON.stringify(page)}; void runRows(${smoke});`,
      resolveDir: fileURLToPath(new URL("..", import.meta.url)),
    },
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    plugins: [withoutNode],
    define: { "process.env.CC": "undefined" },
  });
  return result.outputFiles[0].text;
}

/** These headers isolate the page, which gives it a clock with a resolution of 5 µs. */
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

const HTML = `<!doctype html><meta charset="utf-8"><script type="module">
import("/page.js").catch(({ stack }) => {
  fetch("/next", { method: "POST", body: JSON.stringify({ error: stack }) });
});
</script>`;

/** A running browser that shows the page. */
export class Page {
  readonly #server: Server;
  readonly #profile = mkdtempSync(join(tmpdir(), "heteromem-chromium-"));
  #browser: ChildProcess | null = null;
  /** The page's request that waits for an order. */
  #asking: ServerResponse | null = null;
  readonly #messages: Message[] = [];
  #wake: (() => void) | null = null;
  #failure: string | null = null;

  private constructor(code: string) {
    this.#server = createServer((request, response) => {
      if (request.method !== "POST") {
        const [type, text] = request.url === "/page.js" ? ["text/javascript", code] : ["text/html", HTML];
        response.writeHead(200, { ...HEADERS, "Content-Type": type }).end(text);
        return;
      }
      let body = "";
      request.setEncoding("utf8").on("data", (part: string) => (body += part));
      request.on("end", () => {
        this.#asking = response;
        this.#take(JSON.parse(body) as Message);
      });
    });
  }

  static async open(command: string, smoke: boolean): Promise<Page> {
    const page = new Page(await script(smoke));
    const server = page.#server;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const args = [...FLAGS, `--user-data-dir=${page.#profile}`, `http://127.0.0.1:${port}/`];
    page.#browser = spawn(command, args, { stdio: "ignore" });
    page.#browser.on("exit", (code) => page.#fail(`the browser ended (${code})`));
    return page;
  }

  /** Waits for the page's next message. Throws Error if the page or the browser has failed. */
  async next(): Promise<Message> {
    while (this.#messages.length === 0) {
      if (this.#failure !== null) throw new Error(this.#failure);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const message = this.#messages.shift()!;
    if (message.error !== undefined) throw new Error(`in the browser: ${message.error}`);
    return message;
  }

  /** Answers the message that next() returned. */
  order(order: Order): void {
    const asking = this.#asking;
    this.#asking = null;
    asking?.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(order));
  }

  async close(): Promise<void> {
    const browser = this.#browser;
    if (browser !== null && browser.exitCode === null) {
      browser.removeAllListeners("exit");
      await new Promise((resolve) => browser.once("exit", resolve) && browser.kill());
    }
    this.#server.closeAllConnections();
    this.#server.close();
    // The browser's child processes outlive it for a moment and may still write to the profile.
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  #take(message: Message): void {
    this.#messages.push(message);
    this.#wake?.();
  }

  #fail(reason: string): void {
    this.#failure = reason;
    this.#wake?.();
  }
}
