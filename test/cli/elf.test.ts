/**
 * --offload FUNCTION --binary PROGRAM: symbols of ELF programs, and where a position-independent one was
 * loaded.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { functionsNamed, parseElf, readElf, type ElfProgram } from "../../src/cli/elf.ts";
import { UserError } from "../../src/cli/errors.ts";
import { Random } from "../../src/engine/random.ts";
import { elfBytes, type PlainElf, type PlainSymbol } from "../util/elf-bytes.ts";
import { file, report, run } from "./command.ts";

const elf = suite("heteromem run, functions of a program");

const X86_64 = 62;
const I386 = 3;
const ARM = 40;
const AARCH64 = 183;
const SYMBOLS: PlainSymbol[] = [
  { name: "_start", value: 0x1000, size: 0x20 },
  { name: "main", value: 0x1100, size: 0x40 },
  { name: "kernel", value: 0x2000, size: 0x10 },
  { name: "kernel.cold", value: 0x2800, size: 0x10 },
  { name: "helper", value: 0x2010, size: 0 },
  { name: "after", value: 0x2040, size: 0x10 },
  { name: "table", value: 0x3000, size: 0x10, type: 1 },
  { name: "imported", value: 0, size: 0, section: 0 },
];
const PROGRAM: PlainElf = { wide: true, type: 2, machine: X86_64, entry: 0x1000, symbols: SYMBOLS };

const parse = (bytes: Uint8Array): ElfProgram =>
  parseElf("prog", (offset, length) => {
    if (!(offset >= 0 && length >= 0 && offset + length <= bytes.length))
      throw new UserError("prog: cut off");
    return new DataView(bytes.buffer, offset, length);
  });

elf("functions by name: 32 and 64 bits, .symtab and .dynsym, with their parts", () => {
  for (const part of [{}, { wide: false, machine: I386 }, { table: 11 }]) {
    const program = parse(elfBytes({ ...PROGRAM, ...part }));
    assert.equal([program.pie, program.entry, program.calls], [false, 0x1000, "push"]);
    assert.equal(functionsNamed(program, "kernel"), [
      { name: "kernel", start: 0x2000, size: 0x10 },
      { name: "kernel.cold", start: 0x2800, size: 0x10 },
    ]);
    // Without a size it ends where the next function begins.
    assert.equal(functionsNamed(program, "helper"), [{ name: "helper", start: 0x2010, size: 0x30 }]);
    for (const none of ["table", "imported", "kern", ""]) assert.equal(functionsNamed(program, none), []);
  }
});
elf("machines and kinds of programs", () => {
  const calls = (machine: number): string => parse(elfBytes({ ...PROGRAM, machine })).calls;
  assert.equal([X86_64, I386, AARCH64, 243].map(calls), ["push", "push", "register", "register"]);
  assert.is(parse(elfBytes({ ...PROGRAM, type: 3 })).pie, true);
  const thumb = { ...PROGRAM, machine: ARM, symbols: [{ name: "k", value: 0x2001, size: 4 }] };
  assert.is(functionsNamed(parse(elfBytes(thumb)), "k")[0].start, 0x2000);
});
elf("the program that runs this test is read", () => {
  assert.ok(readElf(process.execPath).functions.length > 100);
});

/** A trace of the program, loaded at `base`: the loader, _start, main, and main's call of the kernel. */
function traceAt(base: number): string {
  const at = (value: number): string => (base + value).toString(16).padStart(8, "0");
  return (
    `I  04001000,5\nI  04001005,3\nI  04002000,2\nI  ${at(0x1000)},4\nI  ${at(0x1004)},5\n` +
    ` S 1ffefff010,8\nI  04003000,5\n S 1ffefff008,8\nI  ${at(0x1100)},5\n S 1ffefff000,8\n` +
    `I  ${at(0x2000)},4\n S 00500000,8\nI  ${at(0x2004)},1\n L 1ffefff000,8\n` +
    `I  ${at(0x1105)},3\n L 00500000,8\n`
  );
}
const args = (name: string, program: Partial<PlainElf>, ...more: string[]): string[] => [
  "--binary",
  file(name, elfBytes({ ...PROGRAM, ...program })),
  "--offload",
  "kernel",
  ...more,
];

elf("a program at fixed addresses", () => {
  const got = report(file("fixed", traceAt(0)), ...args("prog", {}));
  assert.equal(
    got.offload.map(({ name, start, entries }) => [name, start, entries]),
    [
      ["kernel", "0x2000", 1],
      ["kernel.cold", "0x2800", 0],
    ],
  );
  assert.equal(got.accesses.device.stores, 1);
  assert.is(got.trace.calls, "push");
});
elf("a position-independent program: the trace tells where it was loaded, or --base does", () => {
  const trace = file("pie", traceAt(0x108000));
  const pie = args("pie-prog", { type: 3 });
  for (const more of [[], ["--base", "0x108000"], ["--base", "108000"]]) {
    const got = report(trace, ...pie, ...more);
    assert.equal([got.offload[0].start, got.offload[0].entries], ["0x10a000", 1]);
  }
  const range = report(trace, "--offload", "k=0x2000-0x2010", "--base", "0x108000");
  assert.equal([range.offload[0].start, range.offload[0].entries], ["0x10a000", 1]);
  const lost = run(file("lost", traceAt(0x108000).replaceAll("0010a000", "0010a008")), ...pie);
  assert.is(lost.status, 2);
  assert.match(lost.stderr, /lost does not tell where it was loaded\. .*give --base .*0x108000.*-no-pie/);
});

const wrong: [what: string, more: () => string[], says: RegExp][] = [
  [
    "a function without a program",
    () => ["--offload", "kernel"],
    /kernel is a function's name: --binary PROGRAM/,
  ],
  ["an unknown function", () => args("p", {}, "--offload", "Help"), /has no function Help: it has helper/],
  ["a stripped program", () => args("p", { symbols: [] }), /has no function kernel: it is stripped/],
  [
    "a base of a fixed program",
    () => args("p", {}, "--base", "0x1000"),
    /--base: .* is not position-independent/,
  ],
  [
    "text",
    () => ["--binary", file("text", "hello, this is no program"), "--offload", "k"],
    /this is no ELF program/,
  ],
  ["a short file", () => ["--binary", file("short", "\x7fELF"), "--offload", "k"], /cut off or damaged/],
  ["an object file", () => args("p", { type: 1 }), /no linked program/],
  ["no file", () => ["--binary", "nowhere", "--offload", "k"], /nowhere: no such file/],
];
for (const [what, more, says] of wrong) {
  elf(`refuses ${what}`, () => {
    const { status, stderr } = run(file("fixed", traceAt(0)), ...more());
    assert.is(status, 2);
    assert.match(stderr, says);
  });
}

const SEED = 20261130;
elf("any bytes are a program or a UserError", () => {
  const random = new Random(SEED);
  let read = 0;
  for (let round = 0; round < 3000; round++) {
    const bytes = elfBytes({ ...PROGRAM, wide: random.below(2) === 0 });
    for (let n = random.below(8); n > 0; n--) bytes[random.below(bytes.length)] = random.below(256);
    const cut = random.below(4) === 0 ? bytes.slice(0, random.below(bytes.length)) : bytes;
    try {
      parse(cut);
      read++;
    } catch (error) {
      if (!(error instanceof UserError)) throw new Error(`seed ${SEED}, round ${round}`, { cause: error });
    }
  }
  assert.ok(read > 100 && read < 3000, `${read} read`);
});
elf.run();
