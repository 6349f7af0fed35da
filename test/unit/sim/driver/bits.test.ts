/** Bitmaps of the pages of a block, against sets of numbers. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as bits from "../../../../src/sim/driver/bits.ts";
import { Random } from "../../../../src/testing.ts";

const test = suite("driver: bitmaps of pages");
test("every operation agrees with a set, over random ranges", () => {
  const random = new Random(1);
  for (let round = 0; round < 200; round++) {
    const [a, b] = [new Set<number>(), new Set<number>()];
    const [x, y] = [bits.newBits(), bits.newBits()];
    for (const [set, map] of [
      [a, x],
      [b, y],
    ] as const) {
      for (let i = 0; i < 4; i++) {
        const from = random.below(513);
        const to = from + random.below(513 - from);
        bits.setRange(map, from, to);
        for (let page = from; page < to; page++) set.add(page);
        const one = random.below(512);
        bits.clearBit(map, one);
        set.delete(one);
      }
      const other = random.below(512);
      bits.setBit(map, other);
      set.add(other);
    }
    const list = (map: bits.Bits): number[] => [...Array(512).keys()].filter((i) => bits.hasBit(map, i));
    const sorted = (set: Set<number>): number[] => [...set].sort((p, q) => p - q);
    assert.equal(list(x), sorted(a));
    const [from, to] = [random.below(512), random.below(513)];
    assert.is(bits.countBits(x, from, to), sorted(a).filter((i) => i >= from && i < to).length);
    assert.is(bits.countBits(x), a.size);
    assert.is(bits.nextBit(x, from), sorted(a).find((i) => i >= from) ?? 512);
    assert.is(bits.nextGap(x, from), [...Array(512).keys()].find((i) => i >= from && !a.has(i)) ?? 512);
    const runs = bits.runsOf(x);
    assert.equal(
      runs.flatMap(([first, end]) => Array.from({ length: end - first }, (_, i) => first + i)),
      sorted(a),
    );
    assert.ok(
      runs.every(([first], i) => i === 0 || first > runs[i - 1][1]),
      "runs do not touch",
    );
    const combined = (how: (map: bits.Bits, other: bits.Bits) => void): number[] => {
      const copy = x.slice();
      how(copy, y);
      return list(copy);
    };
    assert.equal(combined(bits.addBits), sorted(new Set([...a, ...b])));
    assert.equal(
      combined(bits.removeBits),
      sorted(a).filter((i) => !b.has(i)),
    );
    assert.equal(
      combined(bits.keepBits),
      sorted(a).filter((i) => b.has(i)),
    );
    assert.is(bits.isEmpty(x), a.size === 0);
    assert.is(bits.ones(x[3]), sorted(a).filter((i) => i >= 96 && i < 128).length);
  }
});
test.run();
