/** The values of the command's options, and the line of a trace on which a record stands. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseAddress, parseChoice, parseOffload } from "../../src/cli/args.ts";
import { checkRanges, type NamedRange } from "../../src/cli/offload-value.ts";
import { UserError } from "../../src/cli/errors.ts";
import { lineOfRecord } from "../../src/text/locate.ts";
import { bytes } from "../../src/cli/words.ts";
import { count } from "../../src/cli/words.ts";

const args = suite("cli args");
const folder = mkdtempSync(join(tmpdir(), "heteromem-args-"));
args.after(() => rmSync(folder, { recursive: true }));

function messageOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
  throw new Error("no UserError");
}

args("choices", () => {
  assert.is(parseChoice("--calls", "push", ["push", "register"]), "push");
  assert.is(
    messageOf(() => parseChoice("--calls", "both", ["push", "register"])),
    "--calls both: expected push or register",
  );
});

/** The ranges of --offload values that name no functions. */
function parseRanges(values: string[]): NamedRange[] {
  return checkRanges(
    parseOffload(values).map((value) => {
      if ("symbol" in value) throw new Error(`${value.symbol} is no range`);
      return value;
    }),
  );
}

args("offload ranges, with and without a name", () => {
  const [first, second] = parseRanges(["sweep=0x401000-0x401080", "0xFF-0x100"]);
  assert.equal([first.name, first.start, first.end], ["sweep", 0x401000, 0x401080]);
  assert.equal([second.name, second.start, second.end], ["0xFF-0x100", 0xff, 0x100]);
});

args("offload ranges as nm prints addresses", () => {
  const text = "sweep=0x0000000000401615-0x0000000000401695";
  assert.equal(
    [text, text.replaceAll("0x", ""), "sweep=00401615-00401695"].flatMap((one) =>
      parseRanges([one]).map(({ name, start, end }) => [name, start, end]),
    ),
    Array.from({ length: 3 }, () => ["sweep", 0x401615, 0x401695]),
  );
});

args("functions of a program", () => {
  assert.equal(parseOffload(["sweep", "k=_ZN3fooEv.isra.0"]), [
    { name: "sweep", symbol: "sweep", origin: "--offload sweep" },
    { name: "k", symbol: "_ZN3fooEv.isra.0", origin: "--offload k=_ZN3fooEv.isra.0" },
  ]);
});

args("addresses", () => {
  assert.equal([parseAddress("--base", "0x108000"), parseAddress("--base", "108000")], [0x108000, 0x108000]);
  for (const text of ["", "12g", "0x1000000000000", "-1"])
    assert.match(
      messageOf(() => parseAddress("--base", text)),
      /^--base .*: expected an address below 2\^48/,
    );
});

args("offload ranges from a file, with comments", () => {
  const file = join(folder, "ranges");
  writeFileSync(file, "# the kernels\n\nsweep=0x10-0x20 # first\nprobe=0x20-0x30\r\n");
  const ranges = parseRanges([`@${file}`, "last=0x30-0x40"]);
  assert.equal(
    ranges.map(({ name, start, end }) => [name, start, end]),
    [
      ["sweep", 0x10, 0x20],
      ["probe", 0x20, 0x30],
      ["last", 0x30, 0x40],
    ],
  );
  assert.is(ranges[1].origin, `${file}:4`);
});

const ranges: [values: string[], says: RegExp][] = [
  [["401000-401080"], /--offload 401000-401080: expected \[NAME=\]0xSTART-0xEND/],
  [["0x10"], /expected \[NAME=\]0xSTART-0xEND/],
  [["a=b=0x10-0x20"], /expected \[NAME=\]/],
  [["0x20-0x20"], /expected a range that is not empty: its end is the first address after it/],
  [["0x20-0x10"], /expected a range that is not empty: its end is the first address after it/],
  [["0x1000000000000-0x1000000000001"], /expected addresses below 2\^48/],
  [["0x10-0x12345678123456789"], /expected \[NAME=\]/],
  [["a=0x10-0x30", "b=0x20-0x40"], /b overlaps a/],
  [["a=0x10-0x20", "a=0x20-0x40"], /two offload ranges are named a/],
  [["@/does/not/exist"], /^\/does\/not\/exist: no such file$/],
  [[`@${folder}`], /this is a directory/],
];
for (const [values, says] of ranges) {
  args(`--offload ${values.join(" ").replace(folder, "FOLDER")} is refused`, () => {
    assert.match(
      messageOf(() => parseRanges(values)),
      says,
    );
  });
}

args("a bad line of an offload file is named", () => {
  const file = join(folder, "bad");
  writeFileSync(file, "a=0x10-0x20\nnon sense\n");
  assert.is(
    messageOf(() => parseOffload([`@${file}`])),
    `${file}:2: expected [NAME=]0xSTART-0xEND or a function's name, found 'non sense'`,
  );
  writeFileSync(file, "# nothing\n");
  assert.is(
    messageOf(() => parseOffload([`@${file}`])),
    `${file}:1: no offload range in this file`,
  );
});

args("the line of a record", () => {
  const text = "I  1,2\n L 10,8\n==1== x\n S ffffffffff600000,8\nS 20,8\nI  3,4\n M 30,8\n==2== y\n L 40,8";
  const bytes = new TextEncoder().encode(text);
  assert.is(lineOfRecord(bytes, 0, {}, 1), 2);
  assert.is(lineOfRecord(bytes, 1, {}, 1), 5);
  assert.is(lineOfRecord(bytes, 2, {}, 101), 107);
  assert.is(lineOfRecord(bytes, 0, { pid: 2 }, 1), 9);
  assert.is(lineOfRecord(bytes, 2, { pid: 1, currentPid: 1 }, 1), 7);
  const foreign = new TextEncoder().encode("hello\n L 10,8\n");
  assert.is(lineOfRecord(foreign, 0, { skipForeign: true }, 1), 2);
});

args("counts have their thousands marked", () => {
  for (let digits = 1, value = 0; digits <= 15; value = value * 10 + (digits++ % 10)) {
    for (const near of [value, value + 1, 10 ** digits - 1, 10 ** digits])
      assert.is(count(near), near.toLocaleString("en-US"));
  }
});

args("bytes in units", () => {
  assert.is(bytes(0), "0 B");
  assert.is(bytes(4096), "4 KiB");
  assert.is(bytes(1.5 * 2 ** 20), "1.50 MiB");
  assert.is(bytes(12.34 * 2 ** 30), "12.3 GiB");
});

args.run();
