/** `heteromem convert` of the example programs, to .hmt and back. */
import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { file } from "./command.ts";
import { converted, made, path, read } from "./converting.ts";
import { inFormat } from "./in-format.ts";

const PROGRAMS = "examples/programs";

const test = suite("heteromem convert: programs there and back");

const unpacked = (name: string): string => file("unpacked", gunzipSync(readFileSync(name)));

test("the example programs, to .hmt and back, give the same records", async () => {
  for (const name of readdirSync(PROGRAMS).filter(
    (each) => each.endsWith(".lackey.gz") && !/10m/.test(each),
  )) {
    const hmt = made(`${PROGRAMS}/${name}`, "program.hmt");
    const records = await read(hmt, "hmt");
    assert.equal(records, await read(unpacked(`${PROGRAMS}/${name}`), "lackey"), name);
    const back = path("program.lackey");
    assert.match(await converted(hmt, back), /lackey without instructions has no code addresses/);
    assert.equal(await read(back, "lackey"), inFormat("lackey", records), name);
    const again = made(back, "program-again.hmt", "--plain");
    assert.equal(await read(again, "hmt"), inFormat("lackey", records), name);
    assert.ok(readFileSync(hmt).length < records.length, "less than a byte an access");
  }
});
test.run();
