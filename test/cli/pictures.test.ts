/** `heteromem run --html`: the same bytes each time, and the command that made them. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { commandOf } from "../../src/cli/command-line.ts";
import type { Picture } from "../../src/report/picture.ts";
import { file, folder, run } from "./command.ts";

const pictures = suite("heteromem run: pictures");

const OPTIONS = ["--workload", "add:size=256KiB", "--system-memory", "16MiB", "--time", "pcie3-1080ti"];

pictures("--html writes one page, the same each time", () => {
  const page = join(folder, "run.html");
  const write = (): string => {
    const { status, stderr } = run(...OPTIONS, "--html", page);
    assert.equal([status, stderr], [0, ""]);
    return readFileSync(page, "utf8");
  };
  const html = write();
  assert.is(write(), html);
  assert.ok(statSync(page).size < 1.5e6);
  assert.not.match(html, /(?:src|href)="(?!data:)/); // it loads nothing
  const text = /<script type="application\/json" id="picture">(.*)<\/script>/.exec(html)![1];
  const picture = JSON.parse(text) as Picture;
  assert.is(picture.command, `heteromem run ${OPTIONS.join(" ")} --html ${page}`);
  assert.equal(picture.settings[0], ["workload", "add:size=256KiB"]);
  assert.equal(
    picture.ranges.map(({ name }) => name),
    ["x", "y"],
  );
});
pictures("--perfetto writes packets, the same each time, and needs times", () => {
  const path = join(folder, "run.perfetto-trace");
  const write = (): Buffer => {
    assert.is(run(...OPTIONS, "--perfetto", path).status, 0);
    return readFileSync(path);
  };
  const trace = write();
  assert.is(trace[0], 0x0a); // field 1, a message: a packet
  assert.is(Buffer.compare(write(), trace), 0);
  const { status, stderr } = run("--workload", "add:size=64KiB", "--perfetto", path);
  assert.is(status, 2);
  assert.is(stderr, `heteromem: --perfetto ${path}: expected --time, which says when things happen\n`);
});
pictures("a piped report has neither bars nor sparklines", () => {
  assert.not.match(run(...OPTIONS).stdout, /[▁▂▃▄▅▆▇█▏]/);
});
pictures("a run that fails leaves no page", () => {
  const page = join(folder, "none.html");
  const { status } = run(file("bad.txt", "hello\n"), "--html", page);
  assert.is(status, 2);
  assert.not(existsSync(page));
});
pictures("a page that would replace the trace is refused", () => {
  const trace = file("t.lackey", " L 05000000,8\n");
  const { status, stderr } = run(trace, "--html", trace);
  assert.equal([status, stderr], [2, `heteromem: ${trace}: this is the input, which would be lost\n`]);
});
pictures("the command has each field as its option", () => {
  const given = { html: "a b.html", trace: "t.gz", offload: ["x=0x1-0x2", "f"], skipForeign: true, seed: 3 };
  assert.is(
    commandOf(given),
    "heteromem run t.gz --offload x=0x1-0x2 --offload f --skip-foreign --seed 3 --html 'a b.html'",
  );
});
pictures.run();
