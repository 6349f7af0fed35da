/** Renders the pages of docs/ for the site. Their texts stay as they are; links lead to the site's pages. */
import { readFileSync } from "node:fs";
import { basename, dirname, posix } from "node:path";
import MarkdownIt from "markdown-it";
import type { Content } from "./frame.ts";

/** The pages by groups, for the list of all. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  Guides: [
    "docs/guide/driver.md",
    "docs/guide/simulating.md",
    "docs/guide/lab.md",
    "docs/guide/campaigns.md",
    "docs/guide/testing-a-driver.md",
  ],
  Reference: ["docs/linux.md", "docs/run.md", "docs/policies.md", "docs/time.md", "docs/sweep.md"],
  "Traces and pictures": ["docs/record.md", "docs/formats.md", "docs/hmt.md", "docs/picture.md"],
  "How far to trust it": ["docs/validation.md", "docs/testing.md"],
};
const FILES = Object.values(GROUPS).flat();

/** A page of the docs, and the folder of the site where it stands. */
export interface DocsPage extends Content {
  folder: string;
}

const folderOf = (file: string): string => `docs/${basename(file, ".md")}`;

/** The name by which a heading is linked to, as GitHub makes it. */
function slugOf(heading: string): string {
  const words = heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "");
  return words.trim().replace(/\s/g, "-");
}

/** Where a link of a page leads on the site; null: to a file that the site does not have. */
function targetOf(file: string, href: string): string | null {
  if (/^(?:https?:|#)/.test(href)) return href;
  const [path, heading] = href.split("#");
  const target = posix.join(dirname(file), path);
  if (!FILES.includes(target)) return null;
  const to = posix.relative(folderOf(file), folderOf(target));
  return `${to === "" ? "." : to}/${heading === undefined ? "" : `#${heading}`}`;
}

/** Makes what renders one page: headings have names, tables and code can be scrolled by keys. */
function rendererFor(file: string): { render(text: string): string } {
  const markdown = new MarkdownIt({ html: true });
  const { rules } = markdown.renderer;
  const taken = new Map<string, number>();
  rules.heading_open = (tokens, i) => {
    const slug = slugOf(tokens[i + 1].content);
    const times = taken.get(slug) ?? 0;
    taken.set(slug, times + 1);
    return `<${tokens[i].tag} id="${times === 0 ? slug : `${slug}-${times}`}">`;
  };
  rules.table_open = () => '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>';
  rules.table_close = () => "</table></div>";
  const code = (text: string): string =>
    `<pre tabindex="0"><code>${markdown.utils.escapeHtml(text)}</code></pre>\n`;
  rules.fence = (tokens, i) => code(tokens[i].content);
  rules.code_block = (tokens, i) => code(tokens[i].content);
  const open: (string | null)[] = [];
  rules.link_open = (tokens, i) => {
    const target = targetOf(file, String(tokens[i].attrGet("href")));
    open.push(target);
    return target === null ? "<span>" : `<a href="${markdown.utils.escapeHtml(target)}">`;
  };
  rules.link_close = () => (open.pop() === null ? "</span>" : "</a>");
  return markdown;
}

/** Renders a page. */
function rendered(file: string): DocsPage {
  const text = readFileSync(file, "utf8");
  const { escapeHtml } = new MarkdownIt().utils;
  const [, heading = basename(file)] = /^# (.*)$/m.exec(text) ?? [];
  const about = text
    .replace(/^# .*\n+/, "")
    .split(/\n\s*\n/)[0]
    .replace(/\s+/g, " ");
  const plain = (words: string): string => escapeHtml(words.replace(/\[([^\]]*)\]\([^)]*\)|`/g, "$1"));
  return {
    folder: folderOf(file),
    title: plain(heading),
    description: plain(about.split(/(?<=\.)\s/)[0]),
    main: `<article class="doc">\n${rendererFor(file).render(text)}</article>`,
  };
}

/** Renders all pages, and the list of them. */
export function docsPages(): DocsPage[] {
  const pages = FILES.map(rendered);
  const lists = Object.entries(GROUPS).map(([group, files]) => {
    const items = files.map((file) => {
      const { title, description, folder } = pages.find((page) => page.folder === folderOf(file))!;
      return `<li><a href="${basename(folder)}/">${title}</a><p>${description}</p></li>`;
    });
    return `<section><h2>${group}</h2><ul class="pages">${items.join("")}</ul></section>`;
  });
  const index = {
    folder: "docs",
    title: "Docs",
    description: "Guides and reference of heteromem.",
    main: `<h1>Docs</h1>
<p class="lead">Guides, reference, and how far to trust what is simulated.
<a href="api/index.html">The API</a> lists every class and function;
its search finds them by the kernel's names, such as <code>migrate_vma_setup</code>.</p>
${lists.join("\n")}`,
  };
  return [index, ...pages];
}
