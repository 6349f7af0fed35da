/** Finds the test that notices a mutant. */
import { mutate, MutantError, type Mutant } from "./mutant.ts";
import { asked, suiteName, testFiles } from "./suites.ts";
import { BuildError, type Failure, type Tree } from "./tree.ts";

export interface Verdict {
  mutant: Mutant;
  /** The test file that noticed the mutant; undefined if none did or the mutant cannot be made. */
  caughtBy?: string;
  failure?: Failure;
  /** Why the mutant cannot be made. */
  problem?: string;
  /** Number of test files asked. */
  asked: number;
  seconds: number;
}

export interface JudgeOptions {
  /** The test files to ask. Default: all that testFiles() names. */
  only?: readonly string[];
  /** Whether a mutant that names test files is shown to those alone. */
  quick?: boolean;
}

/** The engine fails a test without a mutant, so mutants prove nothing. */
export class CleanError extends Error {
  override readonly name = "CleanError";
}

/** Time limit of a test file without a mutant, in seconds. */
const CLEAN_SECONDS_MAX = 600;
/** With a mutant a test file hangs after SLOWER times its clean time plus SECONDS_MORE. */
const SLOWER = 4;
const SECONDS_MORE = 10;

/**
 * Asks test files about mutants. A test file counts only if it passes without a mutant, which runs once and
 * gives the file's clean time.
 */
export class Judge {
  readonly files: readonly string[];
  readonly #seconds = new Map<string, Promise<number>>();

  readonly #quick: boolean;

  constructor(root: string, { only, quick = false }: JudgeOptions = {}) {
    this.files = only ?? testFiles(root);
    this.#quick = quick;
  }

  /**
   * Runs a file once in a tree without a mutant. Returns its time in seconds. Throws CleanError if a test
   * fails.
   */
  clean(tree: Tree, file: string): Promise<number> {
    const known = this.#seconds.get(file);
    if (known !== undefined) return known;
    const seconds = tree.test(file, CLEAN_SECONDS_MAX).then(({ failure, seconds: took }) => {
      if (failure === undefined) return took;
      throw new CleanError(`without any mutant, ${file} fails: ${failure.test}: ${failure.message}`);
    });
    this.#seconds.set(file, seconds);
    return seconds;
  }

  /** Makes a mutant in a tree, asks the test files, and restores the tree. Throws CleanError. */
  async judge(tree: Tree, mutant: Mutant): Promise<Verdict> {
    const start = performance.now();
    const { file } = mutant;
    const original = tree.read(file);
    const { modules } = tree;
    let broken: ReadonlyMap<string, Uint8Array> | undefined;
    const verdict: Verdict = { mutant, asked: 0, seconds: 0 };
    const spend = (): Verdict => ({ ...verdict, seconds: (performance.now() - start) / 1000 });
    try {
      const mutated = mutate(original, mutant);
      for (const suite of asked(this.files, mutant.ask, this.#quick)) {
        // A file that has not run yet runs without the mutant first.
        if (!this.#seconds.has(suite)) {
          tree.write(file, original);
          tree.modules = modules;
        }
        const limit = SLOWER * (await this.clean(tree, suite)) + SECONDS_MORE;
        if (tree.read(file) !== mutated) {
          tree.write(file, mutated);
          if (broken !== undefined) tree.modules = broken;
          else if (file.startsWith("assembly/")) await tree.build(file);
          broken = tree.modules;
        }
        const { failure } = await tree.test(suite, limit);
        verdict.asked++;
        if (failure === undefined) continue;
        verdict.caughtBy = suiteName(suite);
        verdict.failure = failure;
        break;
      }
    } catch (error) {
      if (!(error instanceof MutantError) && !(error instanceof BuildError)) throw error;
      verdict.problem = error.message;
    } finally {
      tree.write(file, original);
      tree.modules = modules;
    }
    return spend();
  }
}
