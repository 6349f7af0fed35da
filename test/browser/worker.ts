/** Runs the suites of one test file in a worker of a page, as tools/test-file.mjs does in Node. */

/** What became of a file. */
export interface FileResult {
  passed: number;
  failed: number;
  skipped: number;
  /** What uvu said of failed tests, and what else went wrong. */
  output: string;
}

/** A suite of uvu: its errors, and how many tests passed, were skipped, and there are. */
type Suite = () => Promise<[errors: string | true, ran: number, skipped: number, count: number]>;

const uvu = globalThis as unknown as { UVU_DEFER: number; UVU_QUEUE: Suite[][] };

async function run(load: () => Promise<unknown>): Promise<FileResult> {
  const result: FileResult = { passed: 0, failed: 0, skipped: 0, output: "" };
  try {
    await load();
    for (const suite of uvu.UVU_QUEUE[0]) {
      const [errors, ran, skipped, count] = await suite();
      if (typeof errors === "string") result.output += errors;
      else if (ran < count) result.output += `${count - ran} tests did not run: a hook threw\n`;
      result.passed += ran;
      result.failed += count - ran;
      result.skipped += skipped;
    }
  } catch (error) {
    result.failed++;
    const what = error instanceof Error ? error.stack : String(error);
    result.output += `threw while it was loaded or run: ${what}`;
  }
  return result;
}

/** Answers the worker's one message, the name of a file, with its FileResult. */
export function serve(files: Readonly<Record<string, () => Promise<unknown>>>): void {
  // uvu then leaves it to us to execute suites; its module is loaded with the first file.
  uvu.UVU_DEFER = 1;
  uvu.UVU_QUEUE = [[]];
  addEventListener("message", ({ data }: MessageEvent<string>) => {
    void run(files[data]).then((result) => postMessage(result));
  });
}
