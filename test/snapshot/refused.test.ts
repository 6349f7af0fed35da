/** Hmm.restore refuses bytes that are not a snapshot, and attachments without the callbacks. */
import * as assert from "uvu/assert";
import { Hmm } from "../../src/index.ts";
import { onEachBuild } from "../util/builds.ts";
import { errorOf, pattern } from "../util/driver.ts";
import { Player, STEPS } from "./play.ts";

const NAMES = Object.keys(STEPS);

/**
 * Returns the message of the error that restoring throws, or "". The message must name the argument and its
 * value.
 */
function refusal(module: WebAssembly.Module, player: Player, bytes: unknown): string {
  const error = errorOf(() => Hmm.restore(bytes as Uint8Array, { ...player.attachments, module }));
  if (error === undefined) return "";
  assert.ok(error instanceof RangeError || error instanceof TypeError, String(error));
  assert.match(error.message, /^Hmm\.restore: \S+ must be .*, got /);
  return error.message;
}

onEachBuild("snapshot: refused", (test, module) => {
  const player = new Player(module);
  for (const name of NAMES.slice(0, 12)) STEPS[name](player);
  const good = player.hmm.snapshot();
  const text = Buffer.from(good.buffer, 0, 4096).toString("latin1");
  const headerEnd = text.indexOf("}\0") + 1;

  test("values that are not bytes", () => {
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

  test("a snapshot truncated at any place", () => {
    const places = Array.from({ length: headerEnd / 3 + 40 }, (_, i) => (i < 40 ? i : 3 * i));
    for (const length of [...places, good.length / 2, good.length - 65536, good.length - 1]) {
      assert.match(
        refusal(module, player, good.subarray(0, length)),
        /bytes must be a snapshot/,
        `${length} bytes`,
      );
    }
  });

  test("a snapshot with bytes after it", () => {
    for (const n of [1, 16, 65536]) {
      const longer = new Uint8Array(good.length + n);
      longer.set(good);
      assert.match(refusal(module, player, longer), /bytes must be a snapshot/, `${n} bytes more`);
    }
  });

  test("bytes of another format or version", () => {
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

  test("a header that is JSON but not a snapshot's", () => {
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

  test("callbacks that are missing or not functions", () => {
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
