/**
 * What test files need of node:fs, in a worker of the page: files of the repository come from the server, one
 * request each, and what a test writes stays in memory. Paths are absolute below "/", the repository's root.
 */
import { Buffer } from "buffer";
import { resolve } from "path-browserify";

/** What was written, by path. A folder is undefined. */
const written = new Map<string, Uint8Array | undefined>();

function pathOf(path: string | URL): string {
  return path instanceof URL ? decodeURIComponent(path.pathname) : resolve("/", path);
}

function missing(path: string): Error {
  return Object.assign(new Error(`ENOENT: no such file or directory, open '${path}'`), { code: "ENOENT" });
}

/** The server's answer for a path: a file's bytes, or the names in a folder; null: there is neither. */
function fetched(path: string): { bytes: Uint8Array } | { names: string[] } | null {
  const request = new XMLHttpRequest();
  request.open("GET", `/files${path}`, false);
  request.responseType = "arraybuffer";
  request.send();
  if (request.status !== 200) return null;
  const bytes = new Uint8Array(request.response as ArrayBuffer);
  return request.getResponseHeader("X-Folder") === null
    ? { bytes }
    : { names: JSON.parse(new TextDecoder().decode(bytes)) as string[] };
}

export function readFileSync(path: string | URL, encoding?: "utf8"): Buffer | string {
  const file = pathOf(path);
  let bytes = written.get(file);
  if (bytes === undefined) {
    const answer = fetched(file);
    if (answer === null || !("bytes" in answer)) throw missing(file);
    bytes = answer.bytes;
  }
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return encoding === undefined ? buffer : buffer.toString(encoding);
}

export function existsSync(path: string | URL): boolean {
  return written.has(pathOf(path)) || fetched(pathOf(path)) !== null;
}

export function readdirSync(path: string | URL): string[] {
  const folder = pathOf(path);
  if (written.has(folder)) {
    const below = [...written.keys()].filter((file) => file.startsWith(`${folder}/`));
    return below.map((file) => file.slice(folder.length + 1)).filter((name) => !name.includes("/"));
  }
  const answer = fetched(folder);
  if (answer === null || !("names" in answer)) throw missing(folder);
  return answer.names;
}

export function writeFileSync(path: string, data: string | Uint8Array): void {
  written.set(pathOf(path), Buffer.from(data));
}

export function mkdtempSync(prefix: string): string {
  const folder = `${pathOf(prefix)}${written.size}`;
  written.set(folder, undefined);
  return folder;
}

export function mkdirSync(path: string): void {
  written.set(pathOf(path), undefined);
}

export function rmSync(path: string): void {
  for (const file of [...written.keys()])
    if (file === pathOf(path) || file.startsWith(`${pathOf(path)}/`)) written.delete(file);
}

/** A call that only code for Node makes: there is no disk. */
function noDisk(name: string): () => never {
  return () => {
    throw new Error(`${name}: there is no disk in a browser`);
  };
}

export const openSync = noDisk("openSync");
export const closeSync = noDisk("closeSync");
export const renameSync = noDisk("renameSync");
export const fsync = noDisk("fsync");
