/** What tests see of tools/build-step.mjs. */
export function list(path: string, suffix?: string): string[];
export function step(
  name: string,
  inputs: readonly string[],
  outputs: readonly string[],
  work: () => void | Promise<void>,
): Promise<void>;
export function writeAtomic(file: string, data: string | Uint8Array): void;
