/** `heteromem convert` of the example programs, to .hmt and back: a file for each program. */
import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { file } from "./command.ts";
import { converted, made, path, read } from "./converting.ts";
import { inFormat } from "./in-format.ts";

const FOLDER = "examples/programs";
const PROGRAMS = ["hashjoin", "jacobi"] as const;

const unpacked = (name: string): string => file("unpacked", gunzipSync(readFileSync(name)));

/** Tests that an example program, to .hmt and back, gives the same records. */
export function testThereAndBack(program: (typeof PROGRAMS)[number]): void {
  const test = suite(`heteromem convert: ${program} there and back`);
  test("every recorded program has a file of its own", () => {
    const traces = readdirSync(FOLDER).filter((each) => each.endsWith(".lackey.gz") && !/10m/.test(each));
    assert.equal(
      traces.sort(),
      PROGRAMS.map((each) => `${each}.lackey.gz`),
    );
  });
  test("to .hmt and back, it has the same records", async () => {
    const name = `${program}.lackey.gz`;
    const hmt = made(`${FOLDER}/${name}`, "program.hmt");
    const records = await read(hmt, "hmt");
    assert.equal(records, await read(unpacked(`${FOLDER}/${name}`), "lackey"), name);
    const back = path("program.lackey");
    assert.match(await converted(hmt, back), /lackey without instructions has no code addresses/);
    assert.equal(await read(back, "lackey"), inFormat("lackey", records), name);
    const again = made(back, "program-again.hmt", "--plain");
    assert.equal(await read(again, "hmt"), inFormat("lackey", records), name);
    assert.ok(readFileSync(hmt).length < records.length, "less than a byte an access");
  });
  test.run();
}
