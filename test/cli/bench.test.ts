/** `heteromem bench`. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { heteromem } from "./command.ts";

const bench = suite("heteromem bench");

bench("prints a line for each benchmark, or JSON", () => {
  const { stdout, status } = heteromem(["bench", "fault/device", "fork", "--time", "0.001"]);
  assert.is(status, 0);
  const [head, titles, ...lines] = stdout.trim().split("\n");
  assert.match(head, /^heteromem \d+\.\d+\.\d+, Node v\d+/);
  assert.match(titles, /median +p25–p75 +runs/);
  assert.equal(
    lines.map((text) => text.split(" ")[0]),
    ["fault/device", "fork", "fork/copy-on-write"],
  );
  assert.match(lines[2], /ns\/page .* GB\/s +\d+$/);
  const json = heteromem(["bench", "fault/device", "--time", "0.001", "--json"]);
  const { schema, seconds, figures } = JSON.parse(json.stdout) as Record<string, never>;
  assert.equal(
    [schema, seconds, (figures as { name: string }[])[0].name],
    ["heteromem-bench/1", 0.001, "fault/device"],
  );
});

bench("--list tells what each is", () => {
  const { stdout } = heteromem(["bench", "fork", "--list"]);
  assert.match(stdout, /^fork +a process is forked.*\nfork\/copy-on-write +the child/);
});

bench("wrong names and times are one line", () => {
  for (const [args, message] of [
    [["forks"], "bench forks: no benchmark is named so, see heteromem bench --list"],
    [["--time", "0"], "--time 0: expected seconds above 0, at most 3600"],
    [["--time", "x"], "--time x: expected seconds above 0, at most 3600"],
  ] as const) {
    const { stderr, status } = heteromem(["bench", ...args]);
    assert.is(status, 2);
    assert.match(stderr, message);
  }
});

bench.run();
