/**
 * `heteromem run` on traces as strangers have them: other machines, threads, processes, hands, and files that
 * are none.
 */
import { gzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { RunReport } from "../../src/cli/report.ts";
import { file, report, run } from "./command.ts";

const traces = suite("heteromem run, strangers' traces");

/** Lines, by "; ": `I` lines begin with their address, accesses with their letter. */
function lackey(source: string): string {
  return source
    .split(/; */)
    .map((line) =>
      /^[LSM] /.test(line) ? ` ${line}\n` : /^[0-9a-f]+,/.test(line) ? `I  ${line}\n` : `${line}\n`,
    )
    .join("");
}

/** The accesses of CPU and device: [loads, stores] each. */
function byAgent({ accesses: { cpu, device } }: RunReport): unknown {
  return [
    [cpu.loads, cpu.stores],
    [device.loads, device.stores],
  ];
}
const kinds = ({ warnings }: RunReport): unknown => warnings.map(({ kind, count }) => [kind, count]);
const entries = ({ offload }: RunReport): number[] => offload.map((range) => range.entries);

traces("a range that another one reaches by a jump is entered: gcc's tail call", () => {
  const path = file(
    "tail-call",
    lackey(
      "00401000,5; S 1ffefff000,8; 00402000,4; S 00500000,4; 00402004,5; 00403000,4; L 00500000,4; " +
        "00403004,1; L 1ffefff000,8; 00401005,1",
    ),
  );
  const got = report(path, "--offload", "kernel=0x402000-0x402010", "--offload", "helper=0x403000-0x403010");
  assert.equal(
    [byAgent(got), entries(got), got.warnings],
    [
      [
        [0, 1],
        [2, 1],
      ],
      [1, 1],
      [],
    ],
  );
});

traces("calls of a 32-bit program push four bytes", () => {
  const path = file(
    "i386",
    lackey(
      "08049100,5; S feb82000,4; 08049000,5; S feb81ffc,4; 08049050,4; L 0804c000,4; 08049054,3; " +
        "S 0804c000,4; 08049057,1; L feb81ffc,4; 08049005,1; L feb82000,4; 08049105,3; S 0804d000,4",
    ),
  );
  const got = report(path, "--offload", "k=0x8049000-0x8049010");
  assert.equal(
    [byAgent(got), entries(got), got.warnings],
    [
      [
        [0, 2],
        [3, 2],
      ],
      [1],
      [],
    ],
  );
});

const AARCH64 = lackey(
  "00401000,4; 00402000,4; S 1ffefff7e0,16; 00402004,4; 00403000,4; L 00500000,8; 00403004,4; " +
    "S 00500008,8; 00403008,4; 00402008,4; L 1ffefff7e0,16; 0040200c,4; 00401004,4; S 00600000,8",
);
traces("calls that push nothing: told, or recognized and said so", () => {
  const path = file("aarch64", AARCH64);
  const guessed = report(path, "--offload", "k=0x402000-0x402010");
  assert.equal(
    [byAgent(guessed), entries(guessed)],
    [
      [
        [0, 1],
        [2, 2],
      ],
      [1],
    ],
  );
  assert.equal(kinds(guessed), [["calls", 1]]);
  const told = report(path, "--offload", "k=0x402000-0x402010", "--calls", "register");
  assert.equal([byAgent(told), told.warnings, told.trace.calls], [byAgent(guessed), [], "register"]);
  assert.match(
    run(path, "--offload", "k=0x402000-0x402010").stdout,
    /\nWarnings\n +1 {2}no instruction has an odd/,
  );
});

traces("a switch of threads in the kernel is counted, and no entry", () => {
  const path = file(
    "threads",
    lackey(
      "00401000,5; S 1ffefff000,8; 00402000,4; S 00500000,8; 00601000,4; S 00700000,8; 00402004,1; " +
        "L 1ffefff000,8; 00401005,3",
    ),
  );
  const got = report(path, "--offload", "k=0x402000-0x402010");
  assert.equal([entries(got), kinds(got)], [[1], [["switches", 1]]]);
});

traces("device code that never returns is said", () => {
  const path = file("no-return", lackey("00401000,5; S 1ffefff000,8; 00402000,4; 00601000,4; S 00700000,8"));
  assert.equal(kinds(report(path, "--offload", "k=0x402000-0x402010")), [["no-return", 1]]);
});

traces("an access touches all its pages", () => {
  const pages = (line: string): number => report(file("large", ` S ${line}\n`)).rss / 4096;
  assert.equal(
    ["00500f00,512", "00500e00,512", "00500fff,4098", "00500000,65536", "00500000,16773120"].map(pages),
    [2, 1, 3, 16, 4095],
  );
});

traces("the mirror policy faults in the page alone", () => {
  const path = file(
    "mirror",
    lackey("00401000,5; S 1ffefff000,8; 00402000,4; S 00500000,8; 00402004,1; L 1ffefff000,8; 00401005,3"),
  );
  const got = report(path, "--policy", "mirror", "--offload", "k=0x402000-0x402010");
  assert.equal([got.rss / 4096, got.accesses.device.ram], [2, { loads: 1, stores: 1 }]);
  const { stdout } = run(path, "--offload", "k=0x402000-0x402010");
  assert.match(stdout, /to RAM +0 +0 +0 +0\.0 %/);
  assert.match(stdout, /Faults\n +CPU +1 {2}1 first write\n/);
});

const HEAD = "==77== Lackey, an example Valgrind tool\n==77== Command: ./prog\n==77== \n";
const BODY = "I  00401000,3\n L 1ffefff7e0,8\nI  00401003,5\n S 1ffefff7d8,8\n";

const accepted: [what: string, text: string, accesses: number][] = [
  ["superblocks", `${HEAD}${BODY}SB 00401000\nI  00401000,3\n`, 2],
  ["trailing blanks, one blank after I", " L 500010,4 \n S 500018,4\nI 00401000,3\n", 2],
  ["no indent", `${HEAD}${BODY.replaceAll("\n ", "\n")}`, 2],
  ["a byte order mark", `\ufeff${HEAD}${BODY}`, 2],
];
for (const [what, text, accesses] of accepted) {
  traces(`accepts ${what}`, () => {
    const got = report(file("accepted", text));
    assert.equal([got.trace.accesses, got.warnings], [accesses, []]);
  });
}

traces("a program's own output: a hint, or skipped and counted", () => {
  for (const text of ["hello from the program\nI  00401008,2\n", "wait...I  00401008,2\n"]) {
    const path = file("output", `${HEAD}${BODY}${text} S 00500000,4\n`);
    const { status, stderr } = run(path);
    assert.is(status, 2);
    assert.match(stderr, /output:8: expected .*; if the program printed this, record with --log-file/);
    const got = report(path, "--skip-foreign");
    assert.equal([got.trace.accesses, got.trace.foreign, kinds(got)], [3, 1, [["foreign", 1]]]);
  }
});

traces("several processes in one log are noticed, and --pid selects one", () => {
  const path = file(
    "pids",
    `${HEAD}${BODY}==78== Lackey, an example Valgrind tool\n==78== \nI  00401000,3\n S 1ffefff7e0,8\n`,
  );
  const all = report(path);
  assert.equal([all.trace.processes, kinds(all)], [[77, 78], [["processes", 2]]]);
  const one = report(path, "--pid", "78");
  assert.equal([one.trace.accesses, kinds(one)], [1, [["other-process", 4]]]);
  assert.match(run(path, "--pid", "5").stderr, /--pid 5: no process 5 in .*pids: it names 77, 78/);
});

const refused: [what: string, content: string | Uint8Array, says: RegExp][] = [
  [
    "addresses in the kernel's half",
    " L ffff80001000,8\n S ffff80001008,8\n",
    /:2: all 2 accesses are at 2\^47 or above/,
  ],
  [
    "decimal addresses",
    " S 140736775976056,8\n",
    /the only access is at 2\^47.*; are the addresses decimal\?/,
  ],
  ["low addresses", " L 10,4\n S 18,4\n", /:2: all 2 accesses are below 64 KiB or in the topmost page/],
  [
    "low and high addresses",
    " L 10,4\n S ffff80001008,4\n",
    /all 2 accesses are below 64 KiB or at 2\^47 or above/,
  ],
  [
    "an xz file",
    "\xfd7zXZ\0\0",
    /refused: this is xz-compressed; unpack it: xz -dc .*refused \| heteromem run -/,
  ],
  [
    "a tar archive in gzip",
    gzipSync("a.lackey".padEnd(257, "\0") + "ustar"),
    /this is a tar archive; .*tar -xOf/,
  ],
  [
    "another format",
    "0000 ffffffff 1 R1 IMAD.MOV.U32 2 R255 R255 0\n",
    /this is an Accel-Sim trace \(\.traceg\); .*NVBit's mem_trace, which heteromem run reads/,
  ],
  [
    "text that says nothing",
    "hello\n",
    /refused:1: expected .* found 'hello'; heteromem run reads traces of valgrind/,
  ],
  [
    "an error of valgrind's alone",
    "valgrind: ./prog: command not found\n",
    /refused:1: valgrind itself failed/,
  ],
];
for (const [what, content, says] of refused) {
  traces(`names what is wrong: ${what}`, () => {
    const bytes =
      typeof content === "string" ? Uint8Array.from(content, (char) => char.charCodeAt(0)) : content;
    const { status, stdout, stderr } = run(file("refused", bytes));
    assert.equal([status, stdout, stderr.split("\n").length], [2, "", 2]);
    assert.match(stderr, says);
  });
}

traces("only lines of other text: said so", () => {
  const { status, stderr } = run(file("other", "hello\nworld\n"), "--skip-foreign");
  assert.is(status, 2);
  assert.match(stderr, /other:2: 2 lines, and none of them is of a trace/);
});

traces("the topmost page that can be mapped is no error, and one that runs over it is skipped", () => {
  const got = report(file("top", " S 7fffffffeff8,8\n S 7fffffffeffc,8\n L 05000000,8\n"));
  assert.equal([got.trace.accesses, got.trace.skippedUnmappable], [2, 1]);
});
traces.run();
