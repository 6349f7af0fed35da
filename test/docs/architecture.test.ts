/** The drawings in docs/architecture.md are what the engine does. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as layout from "../../assembly/abi/header.ts";
import * as pool from "../../assembly/abi/pool.ts";
import { contextOf } from "../../src/engine/context.ts";
import { Hmm } from "../../src/index.ts";
import { builds } from "../util/builds.ts";
import { drawPageLife } from "./page-life.ts";

const page = readFileSync("docs/architecture.md", "utf8");

/** Returns the fenced block that follows a mark. */
function drawing(mark: string): string {
  const found = new RegExp(`<!-- ${mark}:[^\\n]*-->\\n\`\`\`\\n([^]*?)\\n\`\`\``).exec(page);
  assert.ok(found, `docs/architecture.md has a drawing "${mark}"`);
  return found[1];
}

const test = suite("docs: architecture");

for (const [build, module] of builds) {
  test(`the life of a page, ${build}`, () => assert.is(drawing("page life"), drawPageLife(module)));

  test(`the regions of linear memory lie in the order of the memory map, ${build}`, () => {
    const hmm = Hmm.createSync(module, { systemMemory: 1 << 20, deviceMemory: 2 << 20, swap: 1 << 20 });
    const { mem } = contextOf("architecture", hmm);
    const constants: Readonly<Record<string, number>> = { ...layout, ...pool };
    const addressOf = (name: string): number => {
      const value = constants[name];
      assert.type(value, "number", `${name} is a constant of assembly/abi`);
      if (name === "HEADER") return value;
      if (name === "HDR_END") return mem.u32(layout.HEADER + value) << 16;
      if (name.startsWith("HDR_")) return mem.u32(layout.HEADER + value);
      if (!name.startsWith("RESOURCE_")) return layout.HEADER + value;
      return mem.u32(layout.HEADER + layout.POOLS + value * pool.POOL_STRIDE + pool.POOL_BASE);
    };
    const names = [...drawing("memory map").matchAll(/[│┘] {2}([A-Z_]+)$/gm)].map(([, name]) => name);
    const places = names.map(addressOf);
    assert.equal(
      places,
      [...places].sort((a, b) => a - b),
      names.join(" "),
    );
    assert.is(new Set(places).size, places.length);
    const pools = Object.keys(pool).filter(
      (name) => name.startsWith("RESOURCE_") && constants[name] < pool.POOL_COUNT,
    );
    assert.equal(names.filter((name) => name.startsWith("RESOURCE_")).sort(), pools.sort());
    hmm.close();
  });
}

test.run();
