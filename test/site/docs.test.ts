/** The docs on the site: pages look as they should, and the API is found by the kernel's names. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { inBrowser } from "../util/browser.ts";
import { Site } from "./site.ts";

const tests = suite("site: docs in Chromium");
const test = inBrowser(tests);
let site: Site;
tests.before(async () => {
  site = await Site.open(true);
});
tests.after(async () => {
  await site?.close();
});

test("a search for migrate_vma_setup finds migrateVmaSetup", async () => {
  const { page, close } = await site.visit("docs/");
  await page.getByRole("link", { name: "The API" }).click();
  await page.locator("#tsd-search-trigger").click();
  await page.locator("#tsd-search-input").fill("migrate_vma_setup");
  await page.locator("#tsd-search-results", { hasText: "migrateVmaSetup" }).waitFor();
  await close();
});
test("a page of text has its tables, its code, and links that lead to other pages", async () => {
  const { page, problems, close } = await site.visit("docs/simulating/");
  assert.ok((await page.locator("pre code").count()) > 10);
  assert.ok((await page.locator("td").count()) > 10);
  await page.getByRole("link", { name: "docs/run.md" }).first().click();
  await page.waitForURL("**/docs/run/");
  await page.locator("h2#eviction, h3#eviction").waitFor();
  assert.equal(problems, []);
  await close();
});
tests.run();
