/**
 * Drivers that do everything wrong, over fixed seeds, on both builds; see misuse.ts, which goes on from
 * there.
 */
import * as assert from "uvu/assert";
import { onEachBuild } from "../util/builds.ts";
import type { Seen } from "./misuse-world.ts";
import { misuse } from "./misuse.ts";

const SEEDS = 60;
const STEPS = 400;

onEachBuild("misuse", (test, module) => {
  const all: Seen = new Map();

  test(`no driver breaks the engine in ${SEEDS * STEPS} steps`, () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      for (const [name, { done, refused }] of misuse(seed, STEPS, module)) {
        const sum = all.get(name) ?? { done: 0, refused: 0 };
        all.set(name, { done: sum.done + done, refused: sum.refused + refused });
      }
    }
  });

  test("every call of the driver has worked, and those that can be refused have been", () => {
    const rows = [...all].filter(([name]) => !name.startsWith("end"));
    assert.equal(
      rows.filter(([, { done }]) => done === 0).map(([name]) => name),
      [],
    );
    const refusable = [
      "pages",
      "pagePut",
      "pageUnlock",
      "pagePutback",
      "copyPages",
      "setup",
      "pin",
      "exclusive",
    ];
    for (const name of refusable) assert.ok(all.get(name)!.refused > 0, name);
  });

  test("a run repeats itself", () => {
    assert.equal([...misuse(3, STEPS, module)], [...misuse(3, STEPS, module)]);
  });
}).run();
