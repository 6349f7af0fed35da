/**
 * A snapshot is the whole state: a restored engine continues to the same bytes as the engine that the
 * snapshot was taken from, even in the middle of a migration.
 */
import * as assert from "uvu/assert";
import { Hmm, HmmMirror, hmmMirrorRegister, PAGE_SIZE } from "../../src/index.ts";
import { onEachBuild } from "../util/builds.ts";
import { makeHmm } from "../util/driver.ts";
import { Player, STEPS } from "./play.ts";

const NAMES = Object.keys(STEPS);

interface Played {
  player: Player;
  last: Uint8Array;
}

/**
 * Plays all steps, with a restored engine before the steps of `cuts`; `look` gets the snapshot after each
 * step.
 */
function play(
  module: WebAssembly.Module,
  cuts: readonly number[] = [],
  look?: (state: Uint8Array, i: number) => void,
): Played {
  const player = new Player(module);
  NAMES.forEach((name, i) => {
    if (cuts.includes(i)) player.restart();
    STEPS[name](player);
    player.hmm.verify();
    look?.(player.hmm.snapshot(), i);
  });
  return { player, last: player.hmm.snapshot() };
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

onEachBuild("snapshot: continued", (test, module) => {
  const states: Uint8Array[] = [];
  const straight = play(module, [], (state) => states.push(state));

  /** Asserts that a run ends with the same bytes and that its drivers heard the same calls. */
  function isTheSame({ player, last }: Played): void {
    assert.ok(same(last, straight.last), "other bytes at the end");
    assert.equal(player.heard, straight.player.heard);
  }

  test("the same calls make the same bytes after every step", () => {
    const different: string[] = [];
    isTheSame(play(module, [], (state, i) => void (same(state, states[i]) || different.push(NAMES[i]))));
    assert.equal(different, []);
  });

  NAMES.slice(1).forEach((name, at) => {
    test(`restored before "${name}"`, () => isTheSame(play(module, [at + 1])));
  });

  test("restored before every step", () => {
    const cuts = NAMES.map((_, i) => i);
    const different: string[] = [];
    isTheSame(play(module, cuts, (state, i) => void (same(state, states[i]) || different.push(NAMES[i]))));
    assert.equal(different, []);
  });

  test("the play has an open migration at every stage", () => {
    const stages = new Set<string>();
    const player = new Player(module);
    for (const name of NAMES) {
      STEPS[name](player);
      for (const m of player.hmm.migrations()) {
        const source = m.vma === null ? "device range" : "mapping";
        const destinations = m.dst.some((word) => word !== 0) ? "filled" : "empty";
        stages.add(`${source}, ${destinations}, ${m.result.moved > 0}`);
      }
    }
    assert.equal([...stages].sort(), [
      "device range, empty, false",
      "mapping, empty, false",
      "mapping, filled, false",
      "mapping, filled, true",
    ]);
  });

  test("two engines from one snapshot are independent", () => {
    const player = new Player(module);
    for (const name of NAMES.slice(0, 9)) STEPS[name](player);
    const bytes = player.hmm.snapshot();
    const kept = bytes.slice();
    const twin = new Player(module);
    twin.hmm = Hmm.restore(bytes, twin.attachments);
    STEPS["the CPU takes a page back"](twin);
    twin.mm.munmap(2 ** 40, 4 * PAGE_SIZE);
    assert.ok(same(bytes, kept));
    assert.ok(same(player.hmm.snapshot(), kept));
  });

  test("an id may be in any script", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const id = "зеркало 鏡 🪞";
    hmmMirrorRegister(new HmmMirror({ update: () => undefined }, { id }), mm);
    const other = Hmm.restore(hmm.snapshot(), { module, mirrors: { [id]: { update: () => undefined } } });
    assert.is(other.mirrors()[0].id, id);
  });
}).run();
