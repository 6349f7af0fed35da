/** The files of the site: every page has the policy, and addresses are relative and lead to what is there. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildSite } from "../../tools/build-site.ts";
import { serveFolder } from "../../tools/serve-site.ts";
import { list } from "../tidy/sources.ts";

const pages = suite("site: files");
const folder = mkdtempSync(join(tmpdir(), "heteromem-site-"));
/** All pages but those of typedoc. */
const htmlFiles = (): string[] =>
  list(folder).filter((file) => file.endsWith(".html") && !file.includes("/docs/api/"));

pages.before(() => buildSite(join(folder, "site")));
pages.after(() => rmSync(folder, { recursive: true, force: true }));

pages("every page has the policy, which allows WebAssembly and no evaluation", () => {
  const files = htmlFiles();
  assert.ok(files.length >= 4, `${files.length} pages`);
  for (const file of files) {
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(readFileSync(file, "utf8"))?.[1] ?? "";
    assert.match(policy, "default-src 'none'; script-src 'self' 'wasm-unsafe-eval';", file);
    assert.not.match(policy, "'unsafe-eval'", file);
    assert.not.match(policy, "'unsafe-inline'", file);
  }
});
pages("addresses are relative, and lead to files and headings that are there", () => {
  const wrong = htmlFiles().flatMap((file) => {
    const found = [...readFileSync(file, "utf8").matchAll(/ (?:href|src)="([^"]*)"/g)];
    return found.flatMap(([, address]) => {
      if (/^(?:https:\/\/|data:)/.test(address)) return [];
      const [path, heading] = address.split("#");
      const target = path === "" ? file : join(dirname(file), decodeURIComponent(path));
      const page = existsSync(target) && statSync(target).isDirectory() ? join(target, "index.html") : target;
      if (address.startsWith("/") || !existsSync(page)) return [`${file}: ${address}`];
      const there = !heading || readFileSync(page, "utf8").includes(` id="${heading}"`);
      return there ? [] : [`${file}: ${address}: no such heading`];
    });
  });
  assert.equal(wrong, []);
});
pages("the server gives files below its path alone", async () => {
  const { server, url } = await serveFolder(join(folder, "site"), 0, "/some/where/");
  try {
    const home = await fetch(url);
    assert.is(home.status, 200);
    assert.is(home.headers.get("content-type"), "text/html; charset=utf-8");
    assert.is((await fetch(`${url}simulator`)).url, `${url}simulator/`); // redirected
    for (const path of ["../", "nothing", "..%2f..%2fetc/passwd"])
      assert.is((await fetch(url + path)).status, 404, path);
  } finally {
    server.close();
  }
});
pages.run();
