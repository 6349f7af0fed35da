/** A copy of the project in a scratch folder, which makes, builds and tests mutants. */
import { fork, spawn, type ChildProcess } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { MASK } from "../../src/engine/wasm-bytes.ts";
import { NODE_FLAGS } from "../../tools/run-test-file.mjs";

/** Modules that one compiler process compiles. It uses half a gigabyte by then. */
const COMPILES_MAX = 30;

/** Files that a build reads and tests import; everything else of the project is linked. */
const COPIED = ["assembly", "src", "test", "tools", "package.json", "asconfig.json", "tsconfig.json"];
const NOT_NEEDED = ["build", "dist", "coverage", ".git"];
/** Files that builds make and tests load. */
const CORE = ["build/hmm.debug.wasm", "build/hmm.wasm", "build/hmm.wasm.js"] as const;
const TEXT = ["build/text.wasm", "build/text.wasm.js"] as const;
const WORKLOAD = ["build/workload.wasm", "build/workload.wasm.js"] as const;
const OTHERS = ["build/engine.js", "build/page.js", "build/validators.js"];
/** Options that leave out what a release build optimizes. */
const QUICK = ["--optimizeLevel", "0", "--shrinkLevel", "0"];
/** The code of TypeScript files that tools/typescript.mjs has compiled. */
const COMPILED = "build/.typescript";

/** The outcome of a test file. */
export interface Outcome {
  /** The first failure; undefined if all tests pass. */
  failure?: Failure;
  seconds: number;
}

export interface Failure {
  test: string;
  message: string;
}

/** A module does not compile. */
export class BuildError extends Error {
  override readonly name = "BuildError";
}

interface Ended {
  code: number | null;
  late: boolean;
  output: string;
  report: string;
}

/** The answer of compiler.mjs. */
interface Compiled {
  failed: boolean;
  output: string;
}

export class Tree {
  #child: ChildProcess | undefined;
  #compiler: ChildProcess | undefined;
  /** Modules that it has compiled. */
  #compiles = 0;

  /** @param root the project; @param folder the copy, a folder that does not exist yet */
  constructor(
    root: string,
    readonly folder: string,
  ) {
    mkdirSync(join(folder, "tmp"), { recursive: true });
    mkdirSync(join(folder, "build"));
    for (const name of readdirSync(root)) {
      const from = join(root, name);
      if (COPIED.includes(name)) cpSync(from, join(folder, name), { recursive: true });
      else if (!NOT_NEEDED.includes(name)) symlinkSync(from, join(folder, name));
    }
    for (const name of [...TEXT, ...WORKLOAD, ...OTHERS]) cpSync(join(root, name), join(folder, name));
    if (existsSync(join(root, COMPILED)))
      cpSync(join(root, COMPILED), join(folder, COMPILED), { recursive: true });
  }

  read(file: string): string {
    return readFileSync(join(this.folder, file), "utf8");
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.folder, file), text);
  }

  /**
   * Compiles the module of `file` and puts it where tests load it, without optimization, which is four times
   * as fast. The core serves as the release build and the debug build. Throws BuildError.
   */
  async build(file: string): Promise<void> {
    if (file.startsWith("assembly/text/")) {
      const transform = ["--transform", "./tools/as-bind-transform.mjs"];
      await this.#compile("assembly/text/index.ts", TEXT[0], ["--target", "text", ...QUICK, ...transform]);
      this.#embed(readFileSync(join(this.folder, TEXT[0])), TEXT[1]);
    } else if (file.startsWith("assembly/workload/")) {
      await this.#compile("assembly/workload/index.ts", WORKLOAD[0], ["--target", "workload", ...QUICK]);
      this.#embed(readFileSync(join(this.folder, WORKLOAD[0])), WORKLOAD[1]);
    } else {
      await this.#compile("assembly/core/index.ts", CORE[0], ["--target", "debug"]);
      this.core = readFileSync(join(this.folder, CORE[0]));
    }
  }

  /** The core as built now. */
  get core(): Uint8Array {
    return readFileSync(join(this.folder, CORE[0]));
  }

  /** Installs a core that was built elsewhere. */
  set core(binary: Uint8Array) {
    for (const name of CORE.slice(0, 2)) writeFileSync(join(this.folder, name), binary);
    this.#embed(binary, CORE[2]);
  }

  /** All built files by name. */
  get modules(): ReadonlyMap<string, Uint8Array> {
    return new Map(
      [...CORE, ...TEXT, ...WORKLOAD].map((name) => [name, readFileSync(join(this.folder, name))]),
    );
  }

  /** Restores built files. */
  set modules(modules: ReadonlyMap<string, Uint8Array>) {
    for (const [name, bytes] of modules) writeFileSync(join(this.folder, name), bytes);
  }

  /** Ends the processes that run in the tree. */
  stop(): void {
    this.#child?.kill("SIGKILL");
    this.#compiler?.kill("SIGKILL");
    this.#compiler = undefined;
  }

  /** The tree's compiler. It keeps memory of each module, so a new one takes its place after some. */
  #freshCompiler(): ChildProcess {
    const old = this.#compiler;
    const gone = old !== undefined && (old.exitCode !== null || old.signalCode !== null);
    if (old !== undefined && !gone && this.#compiles++ < COMPILES_MAX) return old;
    old?.kill("SIGKILL");
    this.#compiles = 1;
    const execArgv = ["--single-threaded-gc"];
    this.#compiler = fork("test/mutants/compiler.mjs", { cwd: this.folder, execArgv, stdio: "inherit" });
    return this.#compiler;
  }

  async #compile(entry: string, output: string, options: string[]): Promise<void> {
    const compiler = this.#freshCompiler();
    const { failed, output: said } = await new Promise<Compiled>((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`the compiler ended with ${code}`));
      compiler.once("exit", ended);
      compiler.once("message", (answer) => {
        compiler.off("exit", ended);
        resolve(answer as Compiled);
      });
      compiler.send([entry, "--outFile", output, ...options]);
    });
    if (failed) throw new BuildError(said);
  }

  /** Writes a module as the string that programs import (tools/build.mjs). */
  #embed(binary: Uint8Array, name: string): void {
    const masked = Buffer.from(binary).map((byte) => byte ^ MASK);
    const text = `export default ${JSON.stringify(Buffer.from(masked).toString("latin1"))};\n`;
    writeFileSync(join(this.folder, name), text);
  }

  /** Runs a test file up to its first failure. A file that takes longer than `limit` seconds fails. */
  async test(file: string, limit: number): Promise<Outcome> {
    const start = performance.now();
    const hooks = ["tools/typescript.mjs", "test/mutants/first-failure.mjs"];
    const args = [...NODE_FLAGS, ...hooks.flatMap((hook) => ["--import", `./${hook}`])];
    const ended = await this.#run([...args, "tools/test-file.mjs", file], limit);
    const seconds = (performance.now() - start) / 1000;
    return { failure: failureOf(ended, limit), seconds };
  }

  #run(args: string[], limit: number): Promise<Ended> {
    return new Promise((resolve, reject) => {
      const env = { ...process.env, TMPDIR: join(this.folder, "tmp") };
      const options = { cwd: this.folder, env, stdio: ["ignore", "pipe", "pipe", "pipe"] } as const;
      const child = spawn(process.execPath, args, { ...options, stdio: [...options.stdio] });
      this.#child = child;
      const ended: Ended = { code: null, late: false, output: "", report: "" };
      child.stdout!.setEncoding("utf8").on("data", (text: string) => (ended.output += text));
      child.stderr!.setEncoding("utf8").on("data", (text: string) => (ended.output += text));
      child.stdio[3]!.on("data", (text: Buffer) => (ended.report += text.toString("utf8")));
      const timer = setTimeout(() => {
        ended.late = true;
        child.kill("SIGKILL");
      }, limit * 1000);
      child.on("error", reject);
      child.on("close", (code) => {
        clearTimeout(timer);
        resolve({ ...ended, code });
      });
    });
  }
}

/** Returns the failure of a run of tools/test-file.mjs, if any. */
function failureOf({ code, late, output, report }: Ended, limit: number): Failure | undefined {
  if (late) return { test: "(time)", message: `still running after ${limit.toFixed(0)} s` };
  if (report === "") return { test: "(end)", message: `ended before its tests did (exit code ${code})` };
  const said = JSON.parse(report) as Partial<Failure> & { failed?: number; problems?: string[] };
  if (said.test !== undefined) return { test: said.test, message: said.message ?? "" };
  if (code === 0) return undefined;
  return { test: "(file)", message: said.problems?.join("; ") || output.trim() };
}
