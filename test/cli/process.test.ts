/** The command as a process: its output, its exit code, signals, and pipes. */
import { once } from "node:events";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { RunReport } from "../../src/cli/report.ts";
import { file, heteromem, spawnHeteromem, startHeteromem } from "./command.ts";
import { KERNEL_RANGE, PROGRAM } from "./program.ts";

const cli = suite("the command as a process");

const TRACE_LINES = PROGRAM.text.split("\n").length - 1;
const OPTIONS = ["--offload", KERNEL_RANGE, "--device-memory", "128KiB"];
const trace = file("program.lackey", PROGRAM.text);

cli("a process of its own answers what the thread answers in which other tests run the command", () => {
  const short = file("short.lackey", `${PROGRAM.text} S 0500`);
  const commands: [status: number, args: string[]][] = [
    [0, ["run", trace, ...OPTIONS]],
    [2, ["run", trace, "--nonsense"]],
    [3, ["run", short, ...OPTIONS]],
  ];
  for (const [status, args] of commands) {
    const alone = spawnHeteromem(args);
    assert.is(alone.status, status, args.join(" "));
    assert.equal(heteromem(args), alone, args.join(" "));
  }
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

cli("an error ends the command although the pipe that it reads stays open", async () => {
  const child = startHeteromem(["run", "-", "--system-memory", "64GiB"]);
  child.stdin.on("error", () => {}); // the command closes the pipe early
  child.stdin.write("I  00401000,3\n");
  const late = setTimeout(() => child.kill("SIGKILL"), 60_000);
  const [code] = (await once(child, "exit")) as [number | null];
  clearTimeout(late);
  child.stdin.destroy();
  assert.is(code, 2);
});

cli.run();
