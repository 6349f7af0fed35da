/** The decoder of lackey traces agrees with a plain parser on random mixes of lines. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../../src/engine/random.ts";
import { TraceError } from "../../src/text/lackey.ts";
import { decode } from "./decode.ts";

const SEED = 20261123;

const test = suite("lackey: any lines");

/** Returns the records of a trace, or the number of its first wrong line. */
type Outcome =
  { records: string[]; instructions: number; comments: number; kernel: number } | { wrong: number };

function outcome(source: string): Outcome {
  try {
    const { records, stats } = decode(source);
    const { instructions, comments, kernelSkipped: kernel } = stats;
    const counts = ["L", "S", "M"].map((kind) => records.filter((record) => record[4] === kind).length);
    assert.equal([stats.loads, stats.stores, stats.modifies], counts);
    return { records, instructions, comments, kernel };
  } catch (error) {
    if (error instanceof TraceError) return { wrong: error.line };
    throw error;
  }
}

/** The plain parser: the same result, one line at a time. */
function plainly(source: string): Outcome {
  const result = { records: [] as string[], instructions: 0, comments: 0, kernel: 0 };
  for (const [at, line] of source.split("\n").entries()) {
    const access = /^(?:(I)|[ \t\r]*([LSM]))[ \t\r]+([0-9a-fA-F]{1,16}),([0-9]+)[ \t\r]*$/.exec(line);
    if (access === null) {
      if (/^([=*-])\1[0-9]/.test(line)) result.comments++;
      else if (!/^[ \t\r]*$/.test(line)) return { wrong: at + 1 };
      continue;
    }
    const [, instruction, letter, digits, size] = access;
    const address = BigInt(`0x${digits}`);
    if (Number(size) === 0 || Number(size) > 0xfff000) return { wrong: at + 1 };
    if (instruction !== undefined) result.instructions++;
    else if (address >> 47n !== 0n) result.kernel++;
    else
      for (const [at, bytes] of pieces(address, BigInt(size)))
        result.records.push(`cpu ${letter} ${at.toString(16)},${bytes}`);
  }
  return result;
}

/** An access as records: each but the last ends at the last page bound that 65,535 bytes reach. */
function pieces(address: bigint, size: bigint): [address: bigint, size: bigint][] {
  if (size <= 65535n) return [[address, size]];
  const end = ((address + 65535n) / 4096n) * 4096n;
  return [[address, end - address], ...pieces(end, size - (end - address))];
}

function hex(random: Random, digits: number): string {
  return Array.from({ length: digits }, () => random.below(16).toString(16)).join("");
}

test("decodes any mix of lines like the plain parser, up to the first wrong line", () => {
  const random = new Random(SEED);
  const pick = <T>(...from: T[]): T => from[random.below(from.length)];
  const usualAddress = (): string => pick(hex(random, 7), hex(random, 8)).padStart(8, "0");
  const address = (): string =>
    random.below(4) > 0
      ? usualAddress()
      : pick("00000000", "0", hex(random, 10), `8${hex(random, 11)}`, "f".repeat(16));
  const size = (): string =>
    random.below(6) > 0
      ? `${1 + random.below(9)}`
      : pick("16", "32", "99", "100", "464", "4095", "4096", "65535", "65536", "70000", "200000", "07");
  const access = (): string => `${pick("I  ", "I  ", " L ", " S ", " M ")}${address()},${size()}`;
  const odd = (): string =>
    pick(
      `${access()}\r`,
      "",
      "==7== x",
      `==1${usualAddress().slice(1)}5,4`,
      access().toUpperCase(),
      access().trim(),
      `${access()} \t`,
      access().replace(/ +/g, () => pick(" ", "  ", "\t")),
    );
  const wrong = (): string => {
    const line = [...access()];
    const at = pick(random.below(line.length), line.length - 1); // anywhere in the line, or in its size
    line[at] = pick(" ", ",", "/", ":", "@", "g", "G", "0", "\n", "\u007f");
    return line.join("");
  };
  for (let round = 0; round < 2000; round++) {
    const source = Array.from({ length: 1 + random.below(24) }, () =>
      random.below(8) > 0 ? access() : random.below(6) > 0 ? odd() : wrong(),
    );
    const whole = source.map((line) => `${line}\n`).join("");
    assert.equal(outcome(whole), plainly(whole), `seed ${SEED}, round ${round}:\n${whole}`);
  }
});
test.run();
