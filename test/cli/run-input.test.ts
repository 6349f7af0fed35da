/** What `heteromem run` reads: traces, plain and compressed, from files and pipes; ranges; other backings. */
import { spawnSync } from "node:child_process";
import { gzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { RunReport } from "../../src/cli/report.ts";
import { command, file, heteromem, report } from "./command.ts";
import { KERNEL_RANGE, PROGRAM } from "./program.ts";

const cli = suite("heteromem run, its input");

const OPTIONS = ["--offload", KERNEL_RANGE, "--device-memory", "128KiB"];
const trace = file("program.lackey", PROGRAM.text);
/** Returns the report of the trace with the usual options. */
let usual: RunReport;
cli.before(() => {
  usual = report(trace, ...OPTIONS);
});

cli("without --offload the CPU does it all", () => {
  const got = report(trace);
  const none = { loads: 0, stores: 0 };
  assert.equal(got.accesses.device, { ...none, ram: none, peer: none });
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

cli.run();
