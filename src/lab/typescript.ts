import type { LabConfig } from "./config.ts";
import { BASE, engineConfig } from "./config.ts";
import { describeOperation } from "./operation.ts";
import type { Lab } from "./lab.ts";
import { LATE_PRELUDE, PRELUDE } from "./typescript-prelude.ts";
import { FOLIO_BYTES } from "./world.ts";

/**
 * Returns the program that made the shown state, in TypeScript on the public API: one file that runs in Node
 * or a browser, and ends by printing what the engine knows of each process.
 */
export function copyAsTypeScript(lab: Lab): string {
  const prelude = lab.config.bug === "late-invalidate" ? LATE_PRELUDE : PRELUDE;
  const lines = [prelude, ...setup(lab.config)];
  let operation = -1;
  for (const step of lab.steps.slice(0, lab.at + 1)) {
    if (step.inside || step.operation < 0) continue;
    if (step.operation !== operation) {
      operation = step.operation;
      lines.push("", `// ${describeOperation(lab.operations[operation])}`);
    }
    lines.push(...(step.error === null ? step.code : failing(step.code, step.error)), ...step.after);
  }
  const { processes } = lab.shown.state;
  lines.push(
    "",
    `for (const mm of [${processes.map(({ number }) => `p${number}`).join(", ")}]) console.log(mm.dump());`,
  );
  return `${redeclared(lines.join("\n"))}\n`;
}

/** The fresh world. */
function setup({ pages, devices, frames, limit }: LabConfig): string[] {
  const config = engineConfig({ pages, devices, frames, limit, bug: "none" });
  const lines = [
    `const hmm = await Hmm.create(${JSON.stringify(config, null, 2).replaceAll(/"(\w+)":/g, "$1:")});`,
    `hmm.setHugepages(${FOLIO_BYTES}, "madvise");`,
    `const p1 = hmm.createMm({ memcg: new Memcg(${limit > 0 ? `{ limit: ${limit} }` : ""}) });`,
    `const page = (i: number): number => 0x${BASE.toString(16)} + i * PAGE_SIZE;`,
    "const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;",
    `p1.mmap({ addr: page(0), length: ${pages} * PAGE_SIZE, prot: PROT_READ | PROT_WRITE, flags });`,
  ];
  for (let number = 1; number <= devices; number++)
    lines.push(
      `const device${number} = new Driver(hmm, ${number}, ${frames});`,
      `device${number}.mirror(p1);`,
    );
  return lines;
}

/** A step that throws. */
function failing(code: readonly string[], error: string): string[] {
  const body = code.map((line) => `  ${line.replace(/^let /, "const ")}`);
  return [
    `// ${error}`,
    "try {",
    ...body,
    "} catch (error) {",
    "  console.log((error as Error).message);",
    "}",
  ];
}

/** A step that is made again assigns to the variables that it declared first. */
function redeclared(program: string): string {
  const declared = new Set<string>();
  return program.replaceAll(/^let (\w+)/gm, (line, name: string) => {
    const known = declared.has(name);
    declared.add(name);
    return known ? name : line;
  });
}
