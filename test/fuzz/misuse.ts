/**
 * Drivers that do everything wrong: random words in src and dst, locks and references of pages that are not
 * theirs, calls from callbacks, at any step of a migration. Whatever they do, each call works or is refused
 * with an error that says why; the core never panics, and when all is closed the engine is whole.
 *
 *   node --import ./tools/typescript.mjs test/fuzz/misuse.ts [--seed N] [--seconds N] [--steps N]
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { World, type Seen } from "./misuse-world.ts";

const VERIFY_EVERY = 25;

/** One run. Throws Broken, with the calls that led to it, if the engine breaks. */
export function misuse(seed: number, steps: number, module?: WebAssembly.Module): Seen {
  const world = new World(seed, module);
  try {
    for (let i = 0; i < steps; i++) {
      world.step();
      if (i % VERIFY_EVERY === 0) world.verify();
    }
    world.end();
    return world.seen;
  } catch (error) {
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = { type: "string" } as const;
  const { values } = parseArgs({ options: { seed: text, seconds: text, steps: text } });
  const first = Number(values.seed ?? 1);
  const steps = Number(values.steps ?? 400);
  const end = Date.now() + 1000 * Number(values.seconds ?? 10);
  let seed = first;
  const all: Seen = new Map();
  while (Date.now() < end) {
    for (const [name, { done, refused }] of misuse(seed++, steps)) {
      const sum = all.get(name) ?? { done: 0, refused: 0 };
      all.set(name, { done: sum.done + done, refused: sum.refused + refused });
    }
  }
  console.table(Object.fromEntries(all));
  console.log(`misuse: seeds ${first} to ${seed - 1}, ${steps} steps each, nothing broke`);
}
