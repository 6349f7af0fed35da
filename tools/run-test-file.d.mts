/** The options of Node with which a test file's process runs. */
export const NODE_FLAGS: readonly string[];
/** How long a file may take. */
export const FILE_SECONDS_MAX: number;

/** What became of a file's tests. */
export interface TestFileResult {
  passed: number;
  failed: number;
  skipped: number;
  /** What is wrong beside failed tests. */
  problems: string[];
  output: string;
}

/** Runs one file in a process of its own. Never rejects. */
export function runFile(file: string): Promise<TestFileResult>;
