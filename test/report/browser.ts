/** Pages of reports in Chromium, for tests. The environment variable CHROMIUM names the browser. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
import { chromium } from "../../bench/chromium.ts";
import { launch } from "../util/browser.ts";

const command = chromium();
if (command === null) console.log("no browser: set CHROMIUM to look at the pages of reports");

/** Whether there is a browser. */
export const hasBrowser = command !== null;

/** A page that is open. */
export interface OpenedPage {
  page: Page;
  /** What went wrong in the page, and what it asked of the network. */
  problems: string[];
  close: () => Promise<void>;
}

/** Opens a page as a file, 1280 pixels wide and light. */
export async function openPage(html: string): Promise<OpenedPage> {
  const folder = mkdtempSync(join(tmpdir(), "heteromem-page-"));
  const path = join(folder, "page.html");
  writeFileSync(path, html);
  const browser = await launch();
  const context = await browser.newContext({
    bypassCSP: true, // for the tests' own look at pixels
    colorScheme: "light",
    viewport: { width: 1280, height: 900 },
  });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("console", (message) => problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("request", (request) => {
    if (!/^(file|data|blob):/.test(request.url())) problems.push(request.url());
  });
  await page.goto(pathToFileURL(path).href);
  const close = async (): Promise<void> => {
    await browser.close();
    rmSync(folder, { recursive: true });
  };
  return { page, problems, close };
}

/** The colors of an element's pixels, by how often each occurs. */
export async function colorsOf(page: Page, selector: string): Promise<Map<string, number>> {
  const image = await page.locator(selector).screenshot();
  const list = await page.evaluate(async (base64) => {
    const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${base64}`)).blob());
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d")!;
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    const counts: Record<string, number> = {};
    for (let i = 0; i < data.length; i += 4) {
      const key = `${data[i]},${data[i + 1]},${data[i + 2]}`;
      counts[key] = (counts[key] ?? 0) + 1;
    }
    return Object.entries(counts);
  }, image.toString("base64"));
  return new Map(list);
}

/** The device's color, light and dark, … */
export const DEVICE = { light: "213,94,0", dark: "240,136,62" };
/** … and RAM's. */
export const RAM = { light: "0,114,178", dark: "86,180,233" };
