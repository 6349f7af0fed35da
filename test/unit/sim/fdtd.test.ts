/** PolyBench's fdtd-2d as a workload, by hand. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openWorkload } from "../../../src/sim/workload/index.ts";

const BASE = 2 ** 40;
const MIB2 = 2 ** 21;

/** Each access as `kind range+offset`, where ranges lie 2 MiB apart; markers are left out. */
function places(text: string): string[] {
  const found: string[] = [];
  for (const block of openWorkload(text).blocks())
    for (let i = 0; i < block.length; i += 2) {
      const kind = Number(block[i + 1] & 0xffn);
      const range = Number(block[i + 1] >> 32n);
      const address = Number(block[i] & 0xffffffffffffn);
      if (kind < 16) found.push(`${"LS"[kind]} ${range}+${address - BASE - range * MIB2}`);
    }
  return found;
}

const test = suite("fdtd2d");

test("a step updates ey and ex from hz, and hz from both; the source is the first row of ey", () => {
  // 2 × 2 points of 4 bytes: ex (2 × 3) and ey (3 × 2) take 24 bytes, hz 16. Ranges: fict, ex, ey, hz.
  const cpu = [0, 4].map((at) => `S 0+${at}`);
  const first = (t: number): string[] => [`L 0+${4 * t}`, "S 2+0", `L 0+${4 * t}`, "S 2+4"];
  const ey = [8, 12].flatMap((at) => [`L 2+${at}`, `L 3+${at}`, `L 3+${at - 8}`, `S 2+${at}`]);
  const ex = [0, 4, 8, 12].flatMap((at) => [`L 1+${at}`, `L 3+${at}`, `S 1+${at}`]);
  const hz = [0, 4, 8, 12].flatMap((at) => [
    `L 3+${at}`,
    `L 1+${at}`,
    `L 2+${at + 8}`,
    `L 2+${at}`,
    `S 3+${at}`,
  ]);
  const step = (t: number): string[] => [...first(t), ...ey, ...ex, ...hz];
  const fields = [1, 2].flatMap((range) => [0, 4, 8, 12, 16, 20].map((at) => `S ${range}+${at}`));
  assert.equal(places("fdtd2d:size=64,grain=4"), [
    ...cpu,
    ...fields,
    ...[0, 4, 8, 12].map((at) => `S 3+${at}`),
    ...[...step(0), ...step(1)],
    ...[0, 4, 8, 12].map((at) => `L 3+${at}`),
  ]);
  assert.throws(
    () => openWorkload("fdtd2d:size=64,grain=16"),
    /^fdtd2d: 2 × 2 points give no rows of 16-byte/,
  );
});

test.run();
