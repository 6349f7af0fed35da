/**
 * A snapshot is the whole state: an engine restored from one goes on to the same bytes as the engine it was taken from,
 * wherever in the work that was, in the middle of a migration too; what is no snapshot is refused.
 */
import * as assert from "uvu/assert";
import {
  Hmm,
  hmmDevmemAdd,
  HmmMirror,
  hmmMirrorRegister,
  migrateVmaSetup,
  MmuIntervalNotifier,
  PAGE_SIZE,
} from "../../src/index.ts";
import { Player, STEPS } from "./play.ts";
import { onEachBuild } from "../util/builds.ts";
import { errorOf, makeHmm, pattern } from "../util/driver.ts";

const NAMES = Object.keys(STEPS);

interface Played {
  player: Player;
  last: Uint8Array;
}

/** Plays all steps, with a new engine before those of `cuts`; `look` sees the snapshot after each. */
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

onEachBuild("snapshot: going on", (test, module) => {
  const states: Uint8Array[] = [];
  const straight = play(module, [], (state) => states.push(state));

  /** The run has come to the same bytes, and its drivers have heard the same. */
  function isTheSame({ player, last }: Played): void {
    assert.ok(same(last, straight.last), "other bytes at the end");
    assert.equal(player.heard, straight.player.heard);
  }

  test("the same calls make the same bytes, at every step", () => {
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
        const filled = m.dst.some((word) => word !== 0);
        stages.add(
          `${m.vma === null ? "device range" : "mapping"}, ${filled ? "filled" : "empty"}, ${m.result.moved > 0}`,
        );
      }
    }
    assert.equal([...stages].sort(), [
      "device range, empty, false",
      "mapping, empty, false",
      "mapping, filled, false",
      "mapping, filled, true",
    ]);
  });

  test("two engines from one snapshot do not know each other", () => {
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

  test("ids in any script", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const id = "зеркало 鏡 🪞";
    hmmMirrorRegister(new HmmMirror({ update: () => undefined }, { id }), mm);
    const other = Hmm.restore(hmm.snapshot(), { module, mirrors: { [id]: { update: () => undefined } } });
    assert.is(other.mirrors()[0].id, id);
  });
}).run();

/** The message of what restoring throws; "" if it does not. It must be one that is meant for a reader. */
function refusal(module: WebAssembly.Module, player: Player, bytes: unknown): string {
  const error = errorOf(() => Hmm.restore(bytes as Uint8Array, { ...player.attachments, module }));
  if (error === undefined) return "";
  assert.ok(error instanceof RangeError || error instanceof TypeError, String(error));
  assert.match(error.message, /^Hmm\.restore: \S+ must be .*, got /);
  return error.message;
}

onEachBuild("snapshot: what is none", (test, module) => {
  const player = new Player(module);
  for (const name of NAMES.slice(0, 12)) STEPS[name](player);
  const good = player.hmm.snapshot();
  const text = Buffer.from(good.buffer, 0, 4096).toString("latin1");
  const headerEnd = text.indexOf("}\0") + 1;

  test("other things than bytes", () => {
    for (const bytes of [
      null,
      undefined,
      5,
      "heteromem snapshot 2\n",
      {},
      [...good.slice(0, 9)],
      good.buffer,
    ]) {
      assert.match(refusal(module, player, bytes), /bytes must be a Uint8Array, got/);
    }
  });

  test("truncated at any place", () => {
    const places = Array.from({ length: headerEnd / 3 + 40 }, (_, i) => (i < 40 ? i : 3 * i));
    for (const length of [...places, good.length / 2, good.length - 65536, good.length - 1]) {
      assert.match(
        refusal(module, player, good.subarray(0, length)),
        /bytes must be a snapshot/,
        `${length} bytes`,
      );
    }
  });

  test("something after it", () => {
    for (const n of [1, 16, 65536]) {
      const longer = new Uint8Array(good.length + n);
      longer.set(good);
      assert.match(refusal(module, player, longer), /bytes must be a snapshot/, `${n} bytes more`);
    }
  });

  test("bytes of somebody else", () => {
    for (const foreign of [
      pattern(4),
      new Uint8Array(1 << 20),
      new TextEncoder().encode(text.slice(0, 21)),
    ]) {
      assert.match(refusal(module, player, foreign), /bytes must be a snapshot/);
    }
    const later = good.slice();
    later[text.indexOf("2\n")] = "3".charCodeAt(0);
    assert.match(refusal(module, player, later), /a snapshot of this version/);
  });

  test("a header with a byte changed", () => {
    for (let i = 0; i < headerEnd; i += i < 64 ? 1 : 7) {
      const bytes = good.slice();
      bytes[i] ^= 1 + (i % 7);
      assert.match(refusal(module, player, bytes), /bytes must be a snapshot/, `byte ${i}`);
    }
  });

  test("a header that is JSON, and none of ours", () => {
    const from = text.indexOf("{");
    for (const json of ["{}", "[]", "null", "5", '{"mms":[1]}', '{"settings":{},"owners":-1}']) {
      const bytes = good.slice();
      bytes.set(Buffer.from(json.padEnd(headerEnd - from)), from);
      assert.match(refusal(module, player, bytes), /bytes must be a snapshot/, json);
    }
  });

  test("memory with a byte changed", () => {
    const start = good.length - (good.length % 65536) - 65536;
    for (const at of [headerEnd + 65536 + 100, start, good.length - 5]) {
      const bytes = good.slice();
      bytes[at] ^= 0x40;
      assert.match(refusal(module, player, bytes), /bytes must be a snapshot/, `at ${at}`);
    }
  });

  test("callbacks that are missing, or no callbacks", () => {
    const { mirrors, notifiers, devmems } = player.attachments;
    const cases: [object, RegExp][] = [
      [{ notifiers, devmems }, /attach\.mirrors\["the mirror"\] must be given/],
      [{ mirrors, devmems }, /attach\.notifiers\["watch"\] must be given/],
      [{ mirrors, notifiers }, /attach\.devmems\["memory 0"\] must be given/],
      [
        { mirrors: { "the mirror": {} }, notifiers, devmems },
        /attach\.mirrors\["the mirror"\]\.update must be a function/,
      ],
      [
        { mirrors, notifiers: { watch: {} }, devmems },
        /attach\.notifiers\["watch"\]\.invalidate must be a function/,
      ],
    ];
    for (const [attach, message] of cases) {
      const error = errorOf(() => Hmm.restore(good, { ...attach, module }));
      assert.match(String(error), message);
    }
  });
}).run();

onEachBuild("snapshot: not inside a callback", (test, module) => {
  /** What a snapshot throws in the callback that `act` has called. */
  function inside(act: (hmm: Hmm, callback: () => void) => void): string {
    const hmm = makeHmm(module);
    let thrown: unknown = "the callback was not called";
    act(hmm, () => (thrown = errorOf(() => hmm.snapshot())));
    assert.ok(hmm.snapshot().length > 0, "afterwards it is possible again");
    return String(thrown);
  }
  const refused = /^TypeError: hmm\.snapshot: must not be called from a driver's callback/;

  test("update", () => {
    const act = (hmm: Hmm, update: () => void): void => {
      const mm = hmm.createMm();
      const addr = mm.mmap({ length: PAGE_SIZE });
      hmmMirrorRegister(new HmmMirror({ update }), mm);
      mm.munmap(addr, PAGE_SIZE);
    };
    assert.match(inside(act), refused);
  });
  test("release", () => {
    const act = (hmm: Hmm, release: () => void): void => {
      const mm = hmm.createMm();
      hmmMirrorRegister(new HmmMirror({ update: () => undefined, release }), mm);
      mm.close();
    };
    assert.match(inside(act), refused);
  });
  test("invalidate", () => {
    const act = (hmm: Hmm, invalidate: () => void): void => {
      const mm = hmm.createMm();
      const addr = mm.mmap({ length: PAGE_SIZE });
      mm.write(addr, pattern(1));
      new MmuIntervalNotifier(mm, addr, PAGE_SIZE, { invalidate: () => invalidate() });
      mm.mprotect(addr, PAGE_SIZE, 1);
    };
    assert.match(inside(act), refused);
  });
  for (const which of ["fault", "free"] as const) {
    test(which, () => {
      const act = (hmm: Hmm, callback: () => void): void => {
        const mm = hmm.createMm();
        const addr = mm.mmap({ length: PAGE_SIZE });
        mm.write(addr, pattern(1));
        const ops = { fault: () => undefined, [which]: callback };
        const devmem = hmmDevmemAdd(hmm, ops, {}, 2 << 20);
        const page = devmem.allocPage();
        if (which === "free") {
          hmm.pageUnlock(page);
          hmm.pagePut(page);
          return;
        }
        hmm.pageUnlock(page);
        hmm.pagePut(page);
        moveOut(hmm, addr);
        errorOf(() => mm.read(addr, 1));
      };
      assert.match(inside(act), refused);
    });
  }

  function moveOut(hmm: Hmm, addr: number): void {
    const [mm] = hmm.mms();
    using _sem = mm.mmapSem.read();
    using m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + PAGE_SIZE });
    hmm.devmems()[0].allocPages(m.src, m.dst);
    m.pages();
  }
}).run();
