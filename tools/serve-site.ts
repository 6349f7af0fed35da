/**
 * Serves the built site: `node --import ./tools/typescript.mjs tools/serve-site.ts [--port N]`,
 * by default at port 8080, to this machine alone. Tests serve it below other paths.
 */
import { createReadStream, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../site/dist", import.meta.url));
const PORT = 8080;
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".wasm": "application/wasm",
};

/** The file that a path names; a folder's is its index.html. Null: there is none. */
function fileOf(folder: string, path: string): string | null {
  const file = join(folder, normalize(`/${path}`));
  const status = statSync(file, { throwIfNoEntry: false });
  if (status === undefined) return null;
  return status.isDirectory() ? fileOf(file, "index.html") : file;
}

/**
 * Serves a folder on 127.0.0.1. The caller closes the server.
 * @param port 0: any that is free
 * @param base the path below which the folder lies, with slashes at both ends
 * @param headers what every response has beside its type
 */
export async function serveFolder(
  folder = ROOT,
  port = 0,
  base = "/",
  headers: Readonly<Record<string, string>> = {},
): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const path = decodeURIComponent(pathname);
    const file = path.startsWith(base) ? fileOf(folder, path.slice(base.length)) : null;
    if (file === null) {
      response.writeHead(404, { "Content-Type": "text/plain" }).end("There is no such page.\n");
      return;
    }
    if (file.endsWith("index.html") && !path.endsWith("/") && !path.endsWith("index.html")) {
      response.writeHead(301, { Location: `${path}/` }).end();
      return;
    }
    const type = TYPES[extname(file)] ?? "application/octet-stream";
    response.writeHead(200, { "Content-Type": type, "Cache-Control": "no-cache", ...headers });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", resolve);
  });
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${base}` };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [option, value = String(PORT)] = process.argv.slice(2);
  const port = Number(value);
  if (
    (option !== undefined && option !== "--port") ||
    !(Number.isInteger(port) && port >= 0 && port < 65_536)
  )
    throw new RangeError(`${option} ${value}: expected --port and a number from 0 to 65535`);
  const { url } = await serveFolder(ROOT, port);
  console.log(`heteromem's site: ${url} (Ctrl-C ends it)`);
}
