/** Has the site's service worker (offline.ts) keep the pages, once this one is loaded. */
const root = new URL("../", (document.currentScript as HTMLScriptElement).src);

if ("serviceWorker" in navigator)
  addEventListener("load", () => {
    // Without HTTPS, or in a private window, the page works as long as there is a network.
    navigator.serviceWorker.register(new URL("offline.js", root)).catch(() => undefined);
  });
