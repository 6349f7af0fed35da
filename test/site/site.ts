/** The site in Chromium, for tests: built once, served below a path, and watched for what must not happen. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AxeResults } from "axe-core";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { buildSite } from "../../tools/build-site.ts";
import { serveFolder } from "../../tools/serve-site.ts";
import { launch } from "../util/browser.ts";

/** A page, and what went wrong in it: errors, words on the console, and requests to other hosts. */
export interface Visit {
  page: Page;
  problems: string[];
  /** The addresses of all requests. */
  requests: string[];
  close: () => Promise<void>;
}

/** What of an event of a trace is read: times are in microseconds. */
interface Event {
  name: string;
  pid: number;
  tid: number;
  /** Processor time that a task has taken. */
  tdur?: number;
  args?: { name?: string };
}

export class Site {
  readonly folder = mkdtempSync(join(tmpdir(), "heteromem-site-"));
  readonly #browser: Browser;
  #server!: Server;
  url = "";

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  /**
   * Builds and serves the site. The caller closes it.
   * @param api whether with the reference of the API, which takes long
   */
  static async open(api = false): Promise<Site> {
    const site = new Site(await launch());
    await buildSite(join(site.folder, "site"), api);
    ({ server: site.#server, url: site.url } = await serveFolder(join(site.folder, "site"), 0, "/a/b/"));
    return site;
  }

  /** Opens a page of the site in a profile of its own. */
  async visit(path: string, options: BrowserContextOptions = {}): Promise<Visit> {
    const context = await this.#browser.newContext({
      colorScheme: "light",
      viewport: { width: 1280, height: 900 },
      acceptDownloads: true,
      ...options,
    });
    const page = await context.newPage();
    const problems: string[] = [];
    const requests: string[] = [];
    page.on("console", (message) => problems.push(`${message.text()} ${message.location().url}`));
    page.on("pageerror", (error) => problems.push(error.message));
    context.on("request", (request) => {
      requests.push(request.url());
      if (!request.url().startsWith(this.url) && !/^(?:data|blob):/.test(request.url()))
        problems.push(request.url());
    });
    await page.goto(this.url + path);
    return { page, problems, requests, close: () => context.close() };
  }

  /**
   * Returns what each task of a page's main thread took of the processor while `body` ran, in milliseconds.
   * Processor time, and not time: what else the machine does makes no task longer.
   */
  async tasksOf(page: Page, body: () => Promise<void>): Promise<number[]> {
    await this.#browser.startTracing(page, { categories: ["toplevel"] });
    await body();
    const { traceEvents } = JSON.parse(String(await this.#browser.stopTracing())) as { traceEvents: Event[] };
    const key = ({ pid, tid }: Event): string => `${pid} ${tid}`;
    const isMain = ({ name, args }: Event): boolean =>
      name === "thread_name" && args?.name === "CrRendererMain";
    const main = new Set(traceEvents.filter(isMain).map(key));
    return traceEvents
      .filter((event) => event.name.endsWith("RunTask") && event.tdur !== undefined && main.has(key(event)))
      .map(({ tdur }) => tdur! / 1000);
  }

  /** Ends the server; what is loaded and kept stays. */
  stopServer(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async close(): Promise<void> {
    await this.#browser.close();
    this.stopServer();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The rules of WCAG 2.2 AA, by axe-core's names. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** What axe-core finds wrong in a page, in words. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(readFileSync("node_modules/axe-core/axe.min.js", "utf8"));
  const found = await page.evaluate(async (values) => {
    const { axe } = window as unknown as { axe: { run(options: object): Promise<AxeResults> } };
    return axe.run({ runOnly: { type: "tag", values } });
  }, RULES);
  return found.violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`,
  );
}
