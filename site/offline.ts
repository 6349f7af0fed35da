/**
 * The site's service worker: it keeps the pages for when there is no network. What the network answers comes
 * first, so a page is never older than the server's. Nothing goes elsewhere than to the site's own server.
 */

/** The site's files, relative to its root, and a name for their contents: the build says both. */
declare const FILES: readonly string[];
declare const CONTENTS: string;

/** What of a service worker is used: its types and those of a page exclude each other. */
interface Scope {
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void> };
  addEventListener(
    type: "install" | "activate" | "fetch",
    hear: (event: {
      readonly request: Request;
      waitUntil(work: Promise<unknown>): void;
      respondWith(answer: Promise<Response>): void;
    }) => void,
  ): void;
}

const worker = globalThis as unknown as Scope;
const { scope } = worker.registration;
/** Another site on the same host has caches of its own. */
const FAMILY = `heteromem ${scope} `;
const NAME = FAMILY + CONTENTS;

async function keepAll(): Promise<void> {
  const cache = await caches.open(NAME);
  await cache.addAll(FILES.map((file) => new Request(new URL(file, scope), { cache: "no-cache" })));
}

async function dropOthers(): Promise<void> {
  const names = await caches.keys();
  const others = names.filter((name) => name.startsWith(FAMILY) && name !== NAME);
  await Promise.all(others.map((name) => caches.delete(name)));
  await worker.clients.claim();
}

/** What the network answers is kept as well: recorded traces, and the reference of the API. */
async function answer(request: Request): Promise<Response> {
  const cache = await caches.open(NAME);
  try {
    const response = await fetch(request);
    if (response.status === 200 && !response.redirected) await cache.put(request, response.clone());
    return response;
  } catch {
    return (await cache.match(request, { ignoreSearch: true, ignoreVary: true })) ?? Response.error();
  }
}

worker.addEventListener("install", (event) => event.waitUntil(keepAll()));
worker.addEventListener("activate", (event) => event.waitUntil(dropOthers()));
worker.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && url.startsWith(scope)) event.respondWith(answer(event.request));
});
