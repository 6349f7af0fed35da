/**
 * The example programs, recorded by valgrind's lackey and by the recorder: the same accesses in the same
 * order, but for those that the recorder does not see (the C library's, the stack's) and constants, which
 * have addresses of their own.
 *
 * Both runs take their memory from the heap (MALLOC_MMAP_THRESHOLD_), where blocks lie one after the other:
 * with one block's address known from each run, all addresses compare. That also shows that the recorder
 * allocates nothing there.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { accesses } from "../util/hmt.ts";
import { COMPILERS, buildProgram, checkTotals, folder, has, record } from "./recorder.ts";

const HEAP = { MALLOC_MMAP_THRESHOLD_: "1073741824" };

interface Example {
  name: string;
  args: string[];
  /** The function whose first store is to the beginning of a block. */
  anchor: string;
  device: string;
}

const EXAMPLES: Example[] = [
  { name: "jacobi", args: ["40", "5", "2"], anchor: "heat_edge", device: "sweep" },
  { name: "hashjoin", args: ["2000", "6000"], anchor: "draw_items", device: "probe" },
];

interface Span {
  start: number;
  end: number;
}

/** The functions of the program's own source, by nm. */
function functionsOf(program: string, source: string): Map<string, Span> {
  const { stdout } = spawnSync("nm", ["-S", program], { encoding: "utf8" });
  const own = new Set(
    [...spawnSync("grep", ["-oE", "[a-z_]+\\(", source], { encoding: "utf8" }).stdout.split("\n")].map(
      (call) => call.slice(0, -1),
    ),
  );
  const spans = new Map<string, Span>();
  for (const line of stdout.split("\n")) {
    const [start, size, type, name] = line.split(" ");
    if (/^[tT]$/.test(type ?? "") && own.has(name))
      spans.set(name, { start: parseInt(start, 16), end: parseInt(start, 16) + parseInt(size, 16) });
  }
  return spans;
}

const within = (at: number, { start, end }: Span): boolean => at >= start && at < end;

/** kind, distance from the anchor, size, and whether the device made it. */
type Line = string;

interface Seen {
  kind: "L" | "S";
  address: number;
  size: number;
  function: string;
}

/** The heap's accesses as text, from the anchor's first store on counted. */
function lines(seen: Seen[], heap: Span, { anchor, device }: Example): Line[] {
  const own = seen.filter(({ address }) => within(address, heap));
  const base = own.find(({ kind, function: name }) => kind === "S" && name === anchor)!.address;
  return own.map(
    ({ kind, address, size, function: name }) =>
      `${kind} ${address - base},${size}${name === device ? " device" : ""}`,
  );
}

/** What lackey printed: the accesses of the program's functions; a modify is a load and a store. */
function lackey(program: string, source: string, example: Example): Seen[] {
  const { stdout } = spawnSync(
    "valgrind",
    ["--tool=lackey", "--trace-mem=yes", "--log-fd=1", program, ...example.args],
    { encoding: "latin1", maxBuffer: 2 ** 30, env: { PATH: process.env.PATH, ...HEAP } },
  );
  const functions = [...functionsOf(program, source)];
  const seen: Seen[] = [];
  let current: string | undefined;
  for (const line of stdout.split("\n")) {
    const match = /^(?:I | ([LSM])) +([0-9a-f]+),(\d+)$/.exec(line);
    if (match === null) continue;
    const [, kind, text, size] = match;
    const address = parseInt(text, 16);
    if (kind === undefined) {
      current = functions.find(([, span]) => within(address, span))?.[0];
      continue;
    }
    if (current === undefined) continue;
    for (const each of kind === "M" ? (["L", "S"] as const) : ([kind] as ("L" | "S")[]))
      seen.push({ kind: each, address, size: Number(size), function: current });
  }
  return seen;
}

/** The heap of a program that is not position-independent: right behind it, and far below the stack. */
function heapOf(program: string): Span {
  const { stdout } = spawnSync("nm", [program], { encoding: "utf8" });
  return { start: parseInt(/^([0-9a-f]+) . _end$/m.exec(stdout)![1], 16), end: 2 ** 36 };
}

/** Compares the accesses of an example, built by a compiler, as lackey and the recorder see them. */
function compareWith(compiler: string, example: Example): void {
  const source = `examples/programs/${example.name}.c`;
  // clang turns loops into memset and vectors; both builds have to be of the same loads and stores.
  const flags = [
    "-fno-pie",
    "-fno-builtin",
    "-fno-vectorize",
    "-fno-slp-vectorize",
    "-fno-unroll-loops",
  ].filter((flag) => compiler.startsWith("clang") || !/vectorize/.test(flag));
  const plain = join(folder, `${example.name}-${compiler}`);
  const built = spawnSync(compiler, ["-std=gnu11", "-O1", ...flags, "-no-pie", source, "-o", plain]);
  assert.is(built.status, 0, `${String(built.stderr)}`);
  const expected = lackey(plain, source, example);

  const program = buildProgram(compiler, source, { flags, link: ["-no-pie"] });
  const { trace, status } = record(program, example.args, { ...HEAP, HETEROMEM_DEVICE: example.device });
  assert.is(status, 0);
  checkTotals(trace);
  const functions = [...functionsOf(program, source)];
  const got = accesses(trace).map(({ kind, address, size, code, agent }): Seen => {
    const name = functions.find(([, span]) => within(code, span))?.[0] ?? "";
    assert.is(agent, name === example.device ? 1 : 0);
    return { kind: kind === 0 ? "L" : "S", address, size, function: name };
  });
  const a = lines(expected, heapOf(plain), example);
  const b = lines(got, heapOf(program), example);
  assert.ok(a.length > 30_000, `${a.length} accesses`);
  assert.is(b.length, a.length);
  const different = a.findIndex((line, i) => line !== b[i]);
  assert.is(different, -1, `access ${different}: lackey has ${a[different]}, the recorder ${b[different]}`);
}

/** Tests an example with each compiler. */
export function testExample(name: string): void {
  const example = EXAMPLES.find((one) => one.name === name)!;
  if (COMPILERS.length === 0 || !has("valgrind", "--version")) {
    const skipped = suite(`lackey: ${name}`);
    skipped.skip("no C compiler, or no valgrind", () => {});
    skipped.run();
  }
  for (const compiler of has("valgrind", "--version") ? COMPILERS : []) {
    const test = suite(`lackey: ${name} (${compiler})`);
    test("lackey and the recorder see the same accesses", () => compareWith(compiler, example));
    test.run();
  }
}
