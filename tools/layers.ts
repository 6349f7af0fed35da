/**
 * The layers of the code: `npm run layers` writes their tables into docs/architecture.md, and the table of
 * the rules in which the kernels differ into docs/linux.md.
 *
 * A folder is a layer. The lists below run from the bottom up: a file imports only from its own folder and
 * from folders that stand above its folder's name in the list. test/tidy/layers.test.ts enforces this, and
 * tidy.test.ts that the tables in docs/architecture.md are the ones that this program writes. Each row's text
 * is the first sentence of the folder's README.md.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** Folders of assembly/core, from the bottom up; "." holds index.ts and boot.ts. */
export const CORE_LAYERS: readonly string[] = [
  "base",
  "frame",
  "table",
  "space",
  "operation",
  "fault",
  "access",
  "ksm",
  "mapping",
  "hmm",
  "migrate",
  "verify",
  "entry",
  ".",
];

/**
 * Folders of src, from the bottom up; "." holds Hmm, its snapshots and the package's main entry. A device's
 * page table and its memory use migrations, so device stands above migrate.
 */
export const SRC_LAYERS: readonly string[] = [
  "engine",
  "page",
  "space",
  "migrate",
  "device",
  ".",
  "dmirror",
  "text",
  "sim",
  "report",
  "testing",
  "lab",
  "sweep",
  "microbench",
  "cli",
];

const PAGE = "docs/architecture.md";
const TREES: Record<string, readonly string[]> = { "assembly/core": CORE_LAYERS, src: SRC_LAYERS };

/**
 * The layer of a file of `tree`: the folder that it lies in. An entry `NAME.ts` that stands beside the folder
 * NAME belongs to that folder.
 */
export function layerOf(tree: string, file: string): string {
  const [folder, ...rest] = relative(tree, file).split("/");
  if (rest.length > 0) return folder;
  const name = folder.replace(/\.ts$/, "");
  return TREES[tree].includes(name) ? name : ".";
}

/** The first paragraph after the heading of a folder's README.md, up to its first full stop. */
function purposeOf(folder: string): string {
  const text = readFileSync(join(folder, "README.md"), "utf8").replace(/^# .*\n+/, "");
  const paragraph = text.split(/\n\s*\n/)[0].replaceAll("\n", " ");
  return /^(.*?)\.(?:\s|$)/.exec(paragraph)?.[1] ?? paragraph;
}

/** The table of one tree, in Markdown. */
function tableOf(tree: string): string {
  const rows = TREES[tree].map((layer) => {
    const folder = join(tree, layer);
    const files = readdirSync(folder)
      .filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))
      .filter((name) => layerOf(tree, join(folder, name)) === layer)
      .map((name) => `\`${name.replace(/\.ts$/, "")}\``);
    const name = layer === "." ? tree : layer;
    return `| ${name}/ | ${files.sort().join(" ")} | ${purposeOf(folder)} |`;
  });
  return ["| folder | files | what lives there |", "|---|---|---|", ...rows].join("\n");
}

/** The page's text with the tables of today's folders between their marks. */
export function withTables(text: string): string {
  return Object.keys(TREES).reduce((page, tree) => {
    const marks = new RegExp(`(<!-- layers of ${tree} -->\n)[\\s\\S]*?(<!-- end -->)`);
    if (!marks.test(page)) throw new Error(`${PAGE} has no place for the layers of ${tree}`);
    return page.replace(marks, (_, start: string, end: string) => `${start}\n${tableOf(tree)}\n\n${end}`);
  }, text);
}

const RULES = "assembly/core/base/rules.ts";
const RULES_PAGE = "docs/linux.md";

/** The table of the rules in which the two kernels differ, in Markdown: each function with its comment. */
function rulesTable(source: string): string {
  const rules = source.matchAll(/\/\*\*((?:[^*]|\*(?!\/))*)\*\/\n@inline\nexport function (\w+)\(/g);
  const rows = [...rules].map(([, comment, name]) => {
    const lines = comment.split("\n").map((line) => line.replace(/^\s*\*?\s*/, "").trim());
    return `| \`${name}\` | ${lines.filter((line) => line !== "").join(" ")} |`;
  });
  return ["| rule | 7.3, and 6.12 |", "|---|---|", ...rows].join("\n");
}

/** The text of docs/linux.md with the table of today's rules between its marks. */
export function withRules(text: string): string {
  const marks = /(<!-- rules: .*? -->\n)[\s\S]*?(<!-- \/rules -->)/;
  if (!marks.test(text)) throw new Error(`${RULES_PAGE} has no place for the rules`);
  const table = rulesTable(readFileSync(RULES, "utf8"));
  return text.replace(marks, (_, start: string, end: string) => `${start}\n${table}\n\n${end}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.chdir(fileURLToPath(new URL("..", import.meta.url)));
  writeFileSync(PAGE, withTables(readFileSync(PAGE, "utf8")));
  writeFileSync(RULES_PAGE, withRules(readFileSync(RULES_PAGE, "utf8")));
}
