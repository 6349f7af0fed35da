/** "Copy as TypeScript": each program is run on the public API, and must make the same engine. */
import { transform } from "esbuild";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as heteromem from "../../../src/index.ts";
import { RESERVED_FRAMES } from "../../../assembly/abi/frame.ts";
import { frameOf } from "../../../src/inside.ts";
import { ramFrames } from "../../../src/lab/config.ts";
import type { Lab } from "../../../src/lab/lab.ts";
import { openScenario } from "../../../src/lab/scenarios.ts";
import { copyAsTypeScript } from "../../../src/lab/typescript.ts";
import * as testing from "../../../src/testing.ts";

type Body = (...args: unknown[]) => Promise<heteromem.Hmm>;
const AsyncFunction = (async () => undefined).constructor as new (...args: string[]) => Body;

/** Runs a program that the lab wrote. Returns its engine and what it printed. */
async function run(program: string): Promise<{ hmm: heteromem.Hmm; printed: string }> {
  const { code } = await transform(program, { loader: "ts", target: "es2022" });
  const body = code
    .replace(/^import \{([^}]*)\} from "heteromem";/m, "const {$1} = heteromem;")
    .replace(/^import \{([^}]*)\} from "heteromem\/testing";/m, "const {$1} = testing;");
  const lines: string[] = [];
  const log = { log: (text: string) => lines.push(text) };
  const hmm = await new AsyncFunction("heteromem", "testing", "console", `${body}; return hmm;`)(
    heteromem,
    testing,
    log,
  );
  return { hmm, printed: lines.join("\n") };
}

/** The frames of an engine as the lab shows them. */
function frames(hmm: heteromem.Hmm, { config }: Lab): string[] {
  const ram = Array.from({ length: ramFrames(config) }, (_, i) => RESERVED_FRAMES + i);
  const device = hmm
    .devmems()
    .flatMap(({ pfnFirst }) => Array.from({ length: config.frames }, (_, i) => pfnFirst + i));
  return [...ram, ...device].map((frame) => {
    const { refcount, mapcount, flags } = frameOf(hmm, frame);
    const value =
      refcount === 0
        ? null
        : hmm.pageBytes(frame, (bytes) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true));
    return `${frame} ${refcount} ${mapcount} ${flags} ${value}`;
  });
}

const shown = ({ shown: { state } }: Lab): string[] =>
  state.frames.map(({ frame, refs, maps, flags, value }) => `${frame} ${refs} ${maps} ${flags} ${value}`);

const copy = suite("lab: copy as TypeScript");

/** Scenarios that have every kind of step between them. */
const NAMES = [
  "accounting",
  "anon-read-prot",
  "exclusive-cow",
  "large-folio",
  "swap",
  "two-devices",
  "migrate-release",
];

for (const name of NAMES) {
  copy(`${name}: the program makes the frames and entries that the lab shows`, async () => {
    const lab = openScenario(name);
    const { hmm, printed } = await run(copyAsTypeScript(lab));
    assert.equal(frames(hmm, lab), shown(lab));
    const { processes } = lab.shown.state;
    processes.forEach(({ entries, rss }, i) => {
      const mm = hmm.mms()[i];
      assert.is(mm.rss.anon, rss.anon);
      for (const { page, text } of entries)
        assert.ok(printed.includes(`${(0x7f00_0000_0000 + 4096 * page).toString(16)} ${text}`));
    });
    hmm.verify();
  });
}

copy("a state in the middle of a migration is made, too, with the migration open", async () => {
  const lab = openScenario("migrate-and-back");
  lab.goto(lab.steps.findIndex(({ id }) => id === "copy"));
  const { hmm } = await run(copyAsTypeScript(lab));
  assert.is(hmm.migrations().length, 1);
  assert.equal(frames(hmm, lab), shown(lab));
});
copy("the program of a driver with a bug breaks the same invariant", async () => {
  const lab = openScenario("race-late-invalidate");
  for (const agent of ["cpu", "device1", "device1", "device1", "device1", "device1", "cpu"] as const)
    lab.step(agent);
  const { hmm } = await run(copyAsTypeScript(lab));
  assert.throws(
    () => hmm.verify(),
    (error: Error) => error.message.includes(lab.shown.broken!),
  );
});
copy.run();
