/** The traces in the repository: their properties, and what `npm start` and README.md say about them. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { heteromem, report } from "./command.ts";

const programs = suite("example programs");

const FOLDER = "examples/programs";
const NAMES = ["jacobi", "hashjoin"];

interface Counted {
  loads: number;
  stores: number;
  text: string;
}

const counted = new Map<string, Counted>();

/** Counts the loads and stores in the text of a trace; a modify counts as both. */
function count(name: string): Counted {
  const known = counted.get(name);
  if (known !== undefined) return known;
  const text = gunzipSync(readFileSync(`${FOLDER}/${name}.lackey.gz`)).toString("latin1");
  const of = (kind: string): number => text.split(`\n ${kind} `).length - 1;
  const found = { loads: of("L") + of("M"), stores: of("S") + of("M"), text };
  counted.set(name, found);
  return found;
}

for (const name of NAMES) {
  programs(`${name}: small, a real recording, and without a path of the machine it was made on`, () => {
    assert.ok(statSync(`${FOLDER}/${name}.lackey.gz`).size < 2e6);
    const { text } = count(name);
    assert.match(text, `Command: ./${name} `);
    assert.match(text, "Counted 1 call to main()");
    const own = text.split("\n").filter((line) => line.startsWith("=="));
    assert.equal(
      own.filter((line) => /\/(home|root|tmp|usr|work)\b/.test(line)),
      [],
    );
  });

  programs(`${name}: the report has the accesses of the trace, and the device made most of its`, () => {
    const { loads, stores } = count(name);
    const offload = `@${FOLDER}/${name}.offload`;
    const got = report(`${FOLDER}/${name}.lackey.gz`, "--offload", offload, "--device-memory", "256KiB");
    assert.is(got.accesses.cpu.loads + got.accesses.device.loads, loads);
    assert.is(got.accesses.cpu.stores + got.accesses.device.stores, stores);
    assert.ok(got.offload[0].entries > 0);
    assert.ok(got.evictions > 0);
    assert.ok(got.residency.system > 0);
  });
}

programs("together they have a million loads and stores", () => {
  const total = NAMES.map(count).reduce((sum, { loads, stores }) => sum + loads + stores, 0);
  assert.ok(total >= 1_000_000, `${total}`);
});

programs("no other trace or binary is in the way", () => {
  const allowed = ["Makefile", "README.md", ".gitignore", ...NAMES.flatMap((name) => [`${name}.c`, name])];
  const traces = NAMES.flatMap((name) => [`${name}.lackey.gz`, `${name}-10m.lackey.gz`, `${name}.offload`]);
  const others = readdirSync(FOLDER).filter((name) => !allowed.includes(name) && !traces.includes(name));
  assert.equal(others, []);
});

programs("npm start runs the first one", () => {
  const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: { start: string } };
  const args = scripts.start.split("dist/cli.js ")[1].split(" ");
  const { status, stdout } = heteromem(args);
  assert.is(status, 0);
  assert.match(stdout, /jacobi\.lackey\.gz[^]*evictions +[1-9]/);
});

programs.run();
