/** `heteromem convert` to each format and back, which gives what is left of the records. */
import { readdirSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../../src/engine/random.ts";
import { recognizeFormat } from "../../src/text/formats.ts";
import { mixedFile, someRecords } from "../util/hmt-mixed.ts";
import { events, readHmt } from "../util/hmt.ts";
import { file } from "./command.ts";
import { converted, made, path, read } from "./converting.ts";
import { inFormat, PLAIN } from "./in-format.ts";

const SEED = 20261203;
const SAMPLES = new URL("../text/samples/", import.meta.url);
const test = suite("heteromem convert: there and back");

for (const name of readdirSync(SAMPLES)) {
  const source = new URL(name, SAMPLES);
  const format = recognizeFormat(readFileSync(source))?.name;
  if (format === undefined) continue;
  test(`the sample ${name}, to .hmt and back, gives the same records`, async () => {
    const before = await read(source.pathname, format);
    const hmt = path(`${name}.hmt`);
    assert.is(await converted(source.pathname, hmt), "");
    assert.equal(await read(hmt, "hmt"), before);
    for (const to of PLAIN) {
      const [back, again] = [path(`${name}.${to}`), path("again.hmt")];
      await converted(hmt, back, { to });
      assert.equal(await read(back, to), inFormat(to, before));
      await converted(back, again, { format: to });
      assert.equal(await read(again, "hmt"), inFormat(to, before));
    }
  });
}

test("random records, in all formats", async () => {
  const random = new Random(SEED);
  for (let round = 0; round < 8; round++) {
    const records = someRecords(random, 200 + random.below(300));
    const source = file("random.hmt", mixedFile(records));
    assert.equal(await read(source, "hmt"), records);
    for (const plain of [false, true]) {
      await converted(source, path("again.hmt"), { plain });
      assert.equal(await read(path("again.hmt"), "hmt"), records);
    }
    for (const to of PLAIN) {
      await converted(source, path("random"), { to });
      assert.equal(await read(path("random"), to), inFormat(to, records), to);
    }
  }
});

test("NVBit's lines have lanes, grids and sizes of instructions; what else there was is said", async () => {
  const lines = [" S 00010000,4", " L 00010004,3", " L 00010008,12", " M 00010010,40", " L 00000000,4"];
  const [hmt, out] = [made(file("sizes.lackey", `${lines.join("\n")}\n`), "sizes.hmt"), path("sizes.nvbit")];
  assert.equal(
    (await converted(hmt, out)).trimEnd().split("\n"),
    [
      "no agent but one device: 5 accesses of others are written like its own",
      "no sizes but 1,2,4,8,16: 3 accesses are written with the next smaller one",
      "no accesses to address 0: 1 are left out",
    ].map((loss) => `heteromem: ${out}: NVBit mem_trace has ${loss}`),
  );
  const written = (): string[] => readFileSync(out, "latin1").trimEnd().split("\n");
  assert.equal(
    written().map((line) => / - ([A-Z][^ ]*) - 0x/.exec(line)?.[1]),
    ["STG.E", "LDG.E.U16", "LDG.E.64", "RED.E.ADD.128"],
  );
  // Arrays of 40 pages, an access to each page: the CPU writes three, the device copies one to another, which
  // alternates between a load and a store, and the CPU reads one back.
  const spec = "workload:stream:size=480KiB,grain=4KiB,kernel=copy";
  assert.match(await converted(spec, out), /has no names of kernels: 3 kernels are written without theirs$/m);
  const lanes = written().map((line) => {
    const all = line.split(" - ").at(-1)!.split(" ");
    assert.is(all.length, 32);
    return all.filter((lane) => lane !== "0x0").length;
  });
  const grids = written().map((line) => Number(/grid_launch_id (\d+)/.exec(line)![1]));
  const lanesOf = (grid: number): number[] => lanes.filter((_, i) => grids[i] === grid);
  assert.equal(lanesOf(0), [32, 8, 32, 8, 32, 8]);
  assert.equal(lanesOf(1), Array(80).fill(1));
  assert.equal(lanesOf(2), [32, 8]);
  const back = readHmt(readFileSync(made(out, "grids.hmt")));
  assert.equal(
    events(back).map(({ kind }) => kind),
    [16, 17, 16, 17, 16, 17],
  );
});

test.run();
