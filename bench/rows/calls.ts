/** P9: compares a CPU's load from TypeScript with the bare call of the core that it makes. */
import { contextOf } from "../../src/engine/context.ts";
import { MIB, PRIVATE, createEngine } from "../engine.ts";
import type { Row } from "../harness.ts";
import { mitataSide } from "../mitata-side.ts";

const row: Row = {
  title: "a load from TypeScript",
  unit: "call",
  async run(context) {
    const hmm = await createEngine({ systemMemory: 4 * MIB });
    const mm = hmm.createMm();
    const start = mm.mmap({ length: MIB, ...PRIVATE });
    mm.store32(start, 42);
    const { core } = contextOf("P9", hmm);
    const { id } = mm;
    const call = (): number => mm.load32(start);
    const bare = (): number => core.load32(id, start);
    const results = await context.compare({
      ours: mitataSide(call, context.smoke, call),
      units: 1,
      rivals: [{ name: "bare-load32", target: 3, sides: [mitataSide(bare, context.smoke, bare)] }],
    });
    hmm.close();
    return results;
  },
};
export default row;
