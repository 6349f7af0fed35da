/**
 * Mutants fit the code, and their judge works. `npm run mutants` takes minutes, so this test asks one test
 * file about a few mutants.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CleanError, Judge } from "./judge.ts";
import { mutate, type Mutant } from "./mutant.ts";
import { asked, testFiles } from "./suites.ts";
import { MUTANTS } from "./table.ts";
import { Tree } from "./tree.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MUTANTS_MIN = 40;
/** A small test file, and mutants that it notices. */
const ASKED = "test/unit/space/vma.test.ts";
const STALE: Mutant = {
  name: "stale-handle-looks-alive",
  file: "assembly/core/space/vma.ts",
  before: "  vma.generation = 0;\n",
  after: "",
};
const FLAGS: Mutant = {
  name: "flags",
  file: "src/space/vma.ts",
  before: "+ VMA_PGOFF)",
  after: "+ VMA_START)",
};

const test = suite("mutants");

test("every mutant's text occurs once in the code, names are unique, and each names its tests", () => {
  assert.ok(MUTANTS.length >= MUTANTS_MIN, `only ${MUTANTS.length} mutants`);
  assert.is(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
  const files = testFiles(ROOT);
  for (const mutant of MUTANTS) {
    mutate(readFileSync(join(ROOT, mutant.file), "utf8"), mutant);
    assert.ok(mutant.ask !== undefined && mutant.ask.length > 0, `${mutant.name} names no test to ask`);
    assert.is(asked(files, mutant.ask).length, files.length, mutant.name);
  }
});

test("a mutant that does not fit is refused with advice", () => {
  const mutant: Mutant = { name: "m", file: "f.ts", before: "a b", after: "c" };
  assert.is(mutate("x a b y", mutant), "x c y");
  assert.is(mutate("x a b y", { ...mutant, after: "$&" }), "x $& y", "it is text, not a pattern");
  assert.throws(
    () => mutate("a c", mutant),
    /m: its text is not there any more in f\.ts; follow the code: "a b"/,
  );
  assert.throws(() => mutate("a b a b", mutant), /is there 2 times/);
  assert.throws(() => mutate("a b", { ...mutant, after: "a b" }), /changes nothing/);
});

test("the files that a mutant names are asked first, then the others", () => {
  const files = ["test/golden/golden.test.ts", "test/unit/space/a.test.ts", "test/unit/space/b.test.ts"];
  assert.equal(asked(files, []), files);
  assert.equal(asked(files, ["unit/b"]), [files[2], files[0], files[1]]);
  assert.equal(asked(files, ["unit"]), [files[1], files[2], files[0]]);
  assert.equal(asked(files, ["unit"], true), [files[1], files[2]]);
  assert.equal(asked(files, [], true), files);
  assert.throws(() => asked(files, ["unit/c"]), /no test file unit\/c/);
});

test("a mutant is caught, survives, or cannot be made, and the tree is restored", async () => {
  const scratch = mkdtempSync(join(tmpdir(), "heteromem-mutants-"));
  try {
    const tree = new Tree(ROOT, join(scratch, "tree"));
    tree.core = readFileSync(join(ROOT, "build/hmm.debug.wasm"));
    const judge = new Judge(ROOT, { only: [ASKED] });
    const original = tree.read(STALE.file);

    const inCore = await judge.judge(tree, STALE);
    assert.is(inCore.caughtBy, "unit/vma", inCore.problem);
    assert.match(inCore.failure!.test, /a handle/);
    assert.is(tree.read(STALE.file), original);
    assert.is((await judge.judge(tree, FLAGS)).caughtBy, "unit/vma");

    const survives = await judge.judge(tree, { ...FLAGS, after: `/* the same */ ${FLAGS.before}` });
    assert.equal([survives.caughtBy, survives.problem, survives.asked], [undefined, undefined, 1]);
    const gone = await judge.judge(tree, { ...STALE, before: "nothing like that" });
    assert.match(gone.problem ?? "", /is not there any more/);
    const nonsense = await judge.judge(tree, { ...STALE, after: "vma.generation(;" });
    assert.match(nonsense.problem ?? "", /ERROR/);

    // An engine that fails without a mutant proves nothing.
    tree.write(FLAGS.file, "throw new Error('broken');");
    let error: unknown;
    await new Judge(ROOT, { only: [ASKED] }).judge(tree, STALE).catch((thrown: unknown) => (error = thrown));
    assert.instance(error, CleanError);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});

test("the command lists mutants and refuses wrong usage", () => {
  const command = (...args: string[]): { status: number | null; output: string } => {
    const run = join(ROOT, "test/mutants/run.ts");
    const options = { cwd: ROOT, encoding: "utf8" } as const;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["--import", "./tools/typescript.mjs", run, ...args],
      options,
    );
    return { status, output: stdout + stderr };
  };
  const list = command("--list");
  assert.is(list.status, 0);
  assert.is(list.output.trim().split("\n").length, MUTANTS.length);
  assert.match(command("--help").output, /npm run mutants/);
  for (const args of [
    ["--onyl", "x"],
    ["--only", "no-such-mutant"],
  ]) {
    const { status, output } = command(...args);
    assert.is(status, 2);
    assert.match(output, /^mutants: /);
  }
});

test.run();
