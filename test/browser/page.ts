/** The page of the tests: runs each file in a worker of its own. */
import type { FileResult } from "./worker.ts";

declare global {
  /** Runs a file in a worker, which may take so many seconds. Never rejects. */
  var runFile: (file: string, seconds: number) => Promise<FileResult>;
}

/** Gives the page what runs a file. */
export function install(): void {
  globalThis.runFile = inWorker;
}

function inWorker(file: string, seconds: number): Promise<FileResult> {
  return new Promise((resolve) => {
    const worker = new Worker("tests.js", { type: "module" });
    const end = (result: FileResult): void => {
      clearTimeout(timer);
      worker.terminate();
      resolve(result);
    };
    const fail = (output: string): void => end({ passed: 0, failed: 1, skipped: 0, output });
    const timer = setTimeout(() => fail(`still running after ${seconds} s`), seconds * 1000);
    worker.onmessage = ({ data }: MessageEvent<FileResult>) => end(data);
    worker.onerror = ({ message }) => fail(message);
    worker.postMessage(file);
  });
}
