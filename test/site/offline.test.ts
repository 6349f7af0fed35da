/** The site without a network: once one page was loaded, all of them work with the server gone. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { inBrowser } from "../util/browser.ts";
import { Site } from "./site.ts";

const tests = suite("site: offline in Chromium");
const test = inBrowser(tests);
let site: Site;
tests.before(async () => {
  site = await Site.open();
});
tests.after(async () => {
  await site?.close();
});

test("with the server gone, pages load again, run, and lead to pages that were never open", async () => {
  const { page, problems, close } = await site.visit("simulator/");
  // The worker is ready when it has kept all files.
  await page.evaluate(() => navigator.serviceWorker.ready);
  site.stopServer();

  await page.reload();
  await page.locator("#parameter-size").fill("1MiB");
  await page.locator("#run").click();
  await page.waitForSelector(".status.done");

  await page.getByRole("link", { name: "Lab" }).click();
  await page.waitForSelector("heteromem-lab h2");
  await page.keyboard.press("Tab");
  await page.getByRole("button", { name: "Next" }).click();
  assert.match(await page.locator("#step-title").innerText(), /^The CPU touches memory/);

  await page.getByRole("link", { name: "Docs" }).click();
  await page.getByRole("link", { name: "heteromem and Linux" }).click();
  await page.getByRole("heading", { name: "heteromem and Linux" }).waitFor();
  assert.equal(problems, []);
  await close();
});
tests.run();
