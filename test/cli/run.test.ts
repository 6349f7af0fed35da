/** `heteromem run` from end to end, on small traces that this file writes. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { RunReport } from "../../src/cli/report.ts";
import { bytes } from "../../src/cli/words.ts";
import { command, file, heteromem, report, run, startHeteromem } from "./command.ts";
import { Model, readAccesses } from "./model.ts";
import { KERNEL, KERNEL_RANGE, Program, PROGRAM } from "./program.ts";

const cli = suite("heteromem run");

const OPTIONS = ["--offload", KERNEL_RANGE, "--device-memory", "128KiB"];
const TRACE_LINES = PROGRAM.text.split("\n").length - 1;
const trace = file("program.lackey", PROGRAM.text);
/** Returns the report of the trace with the usual options. */
let usual: RunReport;
cli.before(() => {
  usual = report(trace, ...OPTIONS);
});

/** Returns every path in an object, in the notation of docs/run.md. */
function keys(value: unknown, path = ""): string[] {
  if (Array.isArray(value) && value.length === 0) return [];
  if (Array.isArray(value)) return [...new Set(value.flatMap((item) => keys(item, `${path}[]`)))];
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([key, item]) => keys(item, path === "" ? key : `${path}.${key}`));
}

cli("counts what the trace says, by agent", () => {
  const { accesses, trace: counts, offload, faults } = usual;
  const ram = { loads: 0, stores: 0 };
  const expected = { cpu: { loads: 0, stores: 0 }, device: { loads: 0, stores: 0, ram } };
  for (const { agent, access } of PROGRAM.accesses) {
    if (access[0] !== "S") expected[agent].loads++;
    if (access[0] !== "L") expected[agent].stores++;
  }
  assert.equal(accesses, expected);
  assert.is(counts.accesses, PROGRAM.accesses.length);
  assert.is(counts.lines, TRACE_LINES);
  assert.is(counts.instructions, PROGRAM.lines.filter((line) => line.startsWith("I")).length);
  assert.is(counts.skippedKernel, 1);
  assert.is(counts.comments, 5);
  assert.equal(offload, [{ name: "kernel", start: "0x402000", end: "0x402100", entries: 4 }]);
  assert.ok(faults.device > 0);
});

cli("an allocation that fails is reported, and changes nothing that the program could see", () => {
  assert.is(usual.failedAllocation, null);
  const outcomes = new Set<boolean>();
  for (const n of [1, 2, 25, 400]) {
    const got = report(trace, ...OPTIONS, "--fail-alloc", `${n}`);
    const failed = got.failedAllocation!;
    assert.equal([failed.number, failed.reached], [n, true]);
    assert.ok(failed.access < got.trace.accesses);
    if (failed.error !== null) assert.match(failed.error, /ENOMEM/);
    outcomes.add(failed.error === null);
    assert.equal(got.accesses, usual.accesses);
    assert.equal(got.trace, usual.trace);
  }
  assert.ok(outcomes.has(false), "some access met the failure");
  const text = heteromem(["run", trace, ...OPTIONS, "--fail-alloc", "2"]).stdout;
  assert.match(text, /Allocation 2 was made to fail\n +after accesses[^]*every invariant of the engine held/);
  const never = report(trace, ...OPTIONS, "--fail-alloc", "4294967295");
  assert.equal(never.failedAllocation, { number: 4294967295, reached: false, access: 0, error: null });
  for (const wrong of ["0", "x", "1.5", "4294967296"]) {
    const { status, stderr } = heteromem(["run", trace, "--fail-alloc", wrong]);
    assert.is(status, 2);
    assert.match(stderr, /--fail-alloc .*: expected a whole number from 1 to 4294967295/);
  }
});

for (const deviceMemory of [128, 192, 512, 4096]) {
  cli(`agrees with an obvious model, device memory ${deviceMemory} KiB`, () => {
    const model = new Model(deviceMemory * 1024).run(
      readAccesses(PROGRAM.text, KERNEL, { start: 0x401000, end: 0x402000 }),
    );
    const got = report(trace, "--offload", KERNEL_RANGE, "--device-memory", `${deviceMemory}KiB`);
    assert.equal(got.accesses, model.accesses);
    assert.equal(got.faultsByKind.cpu, model.cpuFaults);
    assert.is(got.faultsByKind.device.mirror, 0);
    assert.is(got.faults.device, model.deviceFaults);
    assert.equal(got.device, {
      bytesIn: model.pagesIn * 4096,
      bytesCopied: model.pagesCopied * 4096,
      bytesInAgain: model.pagesInAgain * 4096,
      bytesOut: model.pagesOut * 4096,
      bytesOutDirty: model.pagesOutDirty * 4096,
      bytesOutEvicted: model.pagesOutEvicted * 4096,
      bytesPeak: model.pagesPeak * 4096,
      pagesIn: model.pagesIn,
      pagesInAgain: model.pagesInAgain,
      pagesOutDirty: model.pagesOutEvictedDirty,
      pagesOutClean: model.pagesOutEvicted - model.pagesOutEvictedDirty,
    });
    assert.is(got.evictions, model.evictions);
    assert.equal(got.residency, {
      system: model.count("ram") * 4096,
      device: model.count("device") * 4096,
    });
  });
}

const settings: string[][] = [
  ["--policy", "migrate"],
  ["--policy", "mirror"],
  // The device has room for one cluster: an access that straddles two accesses one of them in RAM.
  ["--device-memory", "64KiB"],
  ["--device-memory", "68KiB"],
  ["--system-memory", "768KiB", "--device-memory", "256KiB"],
];
for (const setting of settings) {
  cli(`the figures of a report agree with each other: ${setting.join(" ")}`, () => {
    const got = report(trace, ...OPTIONS, ...setting);
    const sum = (counts: object): number => (Object.values(counts) as number[]).reduce((a, b) => a + b, 0);
    assert.is(got.faults.cpu, sum(got.faultsByKind.cpu));
    assert.is(got.faults.device, sum(got.faultsByKind.device));
    assert.is(got.invalidations, sum(got.invalidationsByEvent));
    assert.is(got.device.bytesIn - got.device.bytesOut, got.residency.device);
    assert.is(got.residency.system + got.residency.device, got.rss);
    assert.ok(got.device.bytesPeak <= got.memory.device);
    assert.ok(got.space.growths >= got.space.vmas);
  });
}

cli("the mirror policy moves nothing", () => {
  const got = report(trace, ...OPTIONS, "--policy", "mirror");
  assert.is(sumOf(got.device), 0);
  assert.is(got.evictions, 0);
  assert.is(got.residency.device, 0);
  assert.is(got.faultsByKind.device.migrate, 0);
  assert.is(got.faultsByKind.cpu.device, 0);
  assert.ok(got.faultsByKind.device.mirror > 0);
  const { loads, stores, ram } = got.accesses.device;
  assert.equal({ loads, stores }, ram);
  assert.equal({ ...got.accesses.device, ram: null }, { ...usual.accesses.device, ram: null });
});

cli("the device's accesses count by the place of the page: a straddling one by its last byte", () => {
  // One cluster of device memory: an access that straddles two clusters has its first page in RAM, and its
  // last byte on the device. The load after it brings the first cluster back.
  const kernel = new Program().kernel([
    ["L", 0x5000000, 8],
    ["S", 0x5000008, 8],
    ["M", 0x5000010, 8],
    ["S", 0x500fffc, 8],
    ["L", 0x5000020, 8],
  ]);
  const args = ["--offload", KERNEL_RANGE, "--device-memory", "64KiB"];
  const path = file("places", kernel.text);
  const sum = (one: { loads: number; stores: number }): number => one.loads + one.stores;
  assert.is(sum(report(path, "--offload", KERNEL_RANGE).accesses.device.ram), 0);
  const { device } = report(path, ...args).accesses;
  assert.is(report(path, ...args).faultsByKind.device.migrate, 4); // and the stack's
  assert.equal([device.loads, device.stores], [4, 2 + 1]);
  assert.equal(device.ram, { loads: 0, stores: 0 });
  const mirrored = report(path, ...args, "--policy", "mirror").accesses.device;
  assert.equal(mirrored.ram, { loads: 4, stores: 3 });
});

function sumOf(counts: object): number {
  return (Object.values(counts) as number[]).reduce((a, b) => a + b, 0);
}

cli("without --offload the CPU does it all", () => {
  const got = report(trace);
  assert.equal(got.accesses.device, { loads: 0, stores: 0, ram: { loads: 0, stores: 0 } });
  assert.is(got.faults.device, 0);
  assert.equal(got.offload, []);
});

cli("the same command gives the same bytes; the time that it took is on stderr", () => {
  const args = [command, "run", trace, ...OPTIONS, "--json"];
  const [one, other] = [1, 2].map(() => spawnSync(process.execPath, args, { encoding: "utf8" }));
  assert.is(one.stdout, other.stdout);
  assert.equal(JSON.parse(one.stdout), usual);
  assert.match(one.stderr, /^\d+\.\d\d s, [\d,]+ accesses a second\n$/);
  assert.is(spawnSync(process.execPath, [...args, "--quiet"], { encoding: "utf8" }).stderr, "");
});

cli("plain, gzip and standard input give the same report", () => {
  const named = (got: RunReport): unknown => ({ ...got, trace: { ...got.trace, file: "" } });
  const plain = named(usual);
  const gz = gzipSync(PROGRAM.text);
  assert.equal(named(report(file("program.gz", gz), ...OPTIONS)), plain);
  assert.equal(named(report(file("gz-without-suffix", gz), ...OPTIONS)), plain);
  for (const input of [gz, Buffer.from(PROGRAM.text)]) {
    const { status, stdout } = heteromem(["run", "-", ...OPTIONS, "--json"], input);
    assert.is(status, 0);
    assert.equal(named(JSON.parse(stdout) as RunReport), plain);
  }
});

cli("a last line without a newline counts, and Windows line ends do not matter", () => {
  const text = PROGRAM.text + "I  00401000,3\n L 05000000,8";
  assert.is(report(file("open-end", text)).trace.accesses, PROGRAM.accesses.length + 1);
  const dos = report(file("dos", PROGRAM.text.replaceAll("\n", "\r\n")), ...OPTIONS);
  assert.equal(dos.accesses, usual.accesses);
});

cli("metadata counts like data", () => {
  const metadata = report(trace, ...OPTIONS, "--backing", "metadata");
  assert.is(metadata.backing, "metadata");
  const data = usual;
  assert.equal({ ...metadata, backing: "data" }, data);
  assert.is(
    report(trace, ...OPTIONS, "--backing", "metadata", "--system-memory", "64GiB").memory.system,
    2 ** 36,
  );
});

cli("--offload takes ranges from a file, and several", () => {
  const ranges = file("ranges", `# kernels\n${KERNEL_RANGE}\n`);
  const got = report(trace, "--offload", `@${ranges}`, "--offload", "callee=0x403000-0x403100");
  assert.equal(
    got.offload.map(({ name }) => name),
    ["kernel", "callee"],
  );
  assert.ok(got.offload[1].entries > 0);
});

cli("accesses where nothing can be mapped are skipped and counted", () => {
  const text = "I  00401000,3\n L 00000008,8\n S 7fffffffffff,1\n L 05000000,8\n";
  const got = report(file("low", text));
  assert.is(got.trace.skippedUnmappable, 2);
  assert.is(got.trace.accesses, 1);
  assert.equal(got.accesses.cpu, { loads: 1, stores: 0 });
});

cli("the documented keys are the keys of the report", () => {
  const text = readFileSync("docs/run.md", "utf8");
  const documented = [...text.slice(text.indexOf("| key |")).matchAll(/^\| `([^`]+)` \|/gm)].map(
    (match) => match[1],
  );
  const warned = report(
    ...[file("foreign", `hello\n${PROGRAM.text}`), ...OPTIONS, "--skip-foreign", "--epoch", "100"],
    ...["--range", "0x5000000-0x5100000"],
  );
  const workload = report("--workload", "add:size=64KiB", "--bound", "opt");
  const managed = report(
    "--workload",
    "add:size=8MiB,grain=4KiB",
    "--memory-model",
    "managed",
    "--time",
    "pcie3-1080ti",
  );
  // An epoch and a kernel have the counts that the whole has.
  const part =
    /^(epochs|kernels)\[\]\.(accesses|faults|faultsByKind|device|evictions|invalidations|managed|elapsed).*/;
  const found = [...keys(warned), ...keys(workload), ...keys(managed)]
    .filter((key) => !part.test(key))
    .map((key) => key.replace(/^(parameters|driver\.spread)\..*/, "$1"));
  assert.equal([...new Set(found)].sort(), documented.sort());
  const counts = Object.keys(workload.kernels[0]).filter((key) => !["name", "begins"].includes(key));
  assert.ok(counts.every((key) => key in workload));
});

cli("the report for people has the figures", () => {
  const { status, stdout, stderr } = run(trace, ...OPTIONS);
  assert.is(status, 0);
  assert.is(stderr, "");
  const got = usual;
  assert.match(stdout, /device memory +128 KiB/);
  assert.match(stdout, /Accesses +loads +stores +total +share/);
  assert.match(stdout, new RegExp(` in +${bytes(got.device.bytesIn)} `));
  assert.match(stdout, new RegExp(`evictions +${got.evictions} `));
  assert.not.match(stdout, /PARTIAL|NaN|undefined|Infinity/);
  assert.not.match(run(trace, "--policy", "mirror").stdout, /NaN|undefined|Infinity/);
});

cli("no progress bar where stderr is no terminal", () => {
  assert.is(run(trace).stderr, "");
  assert.is(run(trace, "--quiet").stderr, "");
});

cli("--help and --version", () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  assert.equal(heteromem(["--version"]), { status: 0, stdout: `${version}\n`, stderr: "" });
  for (const args of [["--help"], ["run", "--help"]]) {
    const { status, stdout } = heteromem(args);
    assert.is(status, 0);
    assert.match(stdout, /Usage: heteromem/);
  }
  assert.match(heteromem(["run", "--help"]).stdout, /--offload[^]*--system-memory[^]*Exit codes/);
  assert.is(heteromem([]).status, 2);
  assert.is(heteromem(["walk"]).status, 2);
});

cli("Ctrl-C prints the report so far, and says that it is partial", async () => {
  for (const flags of [[], ["--json"]]) {
    const child = startHeteromem(["run", "-", ...OPTIONS, ...flags]);
    let stdout = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    const exit = once(child, "exit");
    // More than a pipe holds: when the last byte is written, most bytes are read. The trace never ends.
    const text = PROGRAM.text.repeat(200);
    await new Promise((resolve) => child.stdin.write(text, resolve));
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill("SIGINT");
    const [code] = (await exit) as [number];
    assert.is(code, 130);
    if (flags.length > 0) {
      const got = JSON.parse(stdout) as RunReport;
      assert.is(got.partial, true);
      assert.ok(got.trace.accesses > 0 && got.trace.lines <= TRACE_LINES * 200);
    } else {
      assert.match(stdout, /^PARTIAL REPORT, up to line [\d,]+: interrupted\n/);
    }
    child.stdin.destroy();
  }
});

cli("a reader who has seen enough is no error", async () => {
  const child = startHeteromem(["run", trace]);
  child.stdout.destroy();
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, "exit")) as [number];
  assert.match(stderr, /^[^\n]* accesses a second\n$/);
  assert.is(code, 0);
});

cli.run();
