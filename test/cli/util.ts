/** What the command's tests share: the command as a bundle, and a writer of small lackey traces. */
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";

export const folder = mkdtempSync(join(tmpdir(), "heteromem-cli-"));
const command = join(folder, "cli.mjs");

/** Bundles the command, as the published package has it. */
export async function setUp(): Promise<void> {
  await build({
    entryPoints: ["src/cli/main.ts"],
    outfile: command,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "warning",
    banner: {
      js: 'import { createRequire as __cr } from "node:module"; const require = __cr(import.meta.url);',
    },
  });
}

export function tearDown(): void {
  rmSync(folder, { recursive: true });
}

export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

export function heteromem(args: string[], input?: Uint8Array): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], {
    encoding: "utf8",
    input,
  });
  return { status, stdout, stderr };
}

export function startHeteromem(args: string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [command, ...args]);
}

/** Where the code of the traced program is. */
export const KERNEL = { start: 0x402000, end: 0x402100 };
export const KERNEL_RANGE = "kernel=0x402000-0x402100";
const MAIN = 0x401000;
const HELPER = 0x403000;
const STACK = 0x1fff000d00;

const hex = (value: number): string => value.toString(16).padStart(8, "0");

/** A load, store or modify: "L", address, bytes. */
export type Access = [kind: "L" | "S" | "M", address: number, size: number];

/**
 * Writes the trace of a program that works at MAIN and calls a kernel at KERNEL, which calls a helper that main calls,
 * too. Remembers who makes each access, by construction.
 */
export class Program {
  readonly lines: string[] = [
    "==77== Lackey, an example Valgrind tool",
    "==77== Command: ./program",
    "==77== ",
  ];
  readonly accesses: { agent: "cpu" | "device"; access: Access }[] = [];

  cpu(accesses: Access[]): this {
    return this.#body("cpu", MAIN, accesses);
  }

  /** The CPU calls the helper, which is outside of the kernel's range. */
  cpuHelper(accesses: Access[]): this {
    this.#instruction(MAIN + 0x40, 5);
    this.#access("cpu", ["S", STACK, 8]);
    this.#body("cpu", HELPER, accesses);
    this.#instruction(HELPER + 0x80, 1);
    this.#access("cpu", ["L", STACK, 8]);
    this.#instruction(MAIN + 0x45, 3);
    return this;
  }

  /** The CPU calls the kernel, which makes the accesses; `helper` are those that its helper makes for it. */
  kernel(accesses: Access[], helper: Access[] = []): this {
    this.#instruction(MAIN + 0x20, 5);
    this.#access("cpu", ["S", STACK, 8]);
    this.#body("device", KERNEL.start, accesses);
    if (helper.length > 0) {
      this.#instruction(KERNEL.start + 0x60, 5);
      this.#access("device", ["S", STACK - 8, 8]);
      this.#body("device", HELPER, helper);
      this.#instruction(HELPER + 0x80, 1);
      this.#access("device", ["L", STACK - 8, 8]);
    }
    this.#instruction(KERNEL.start + 0x65, 1);
    this.#access("device", ["L", STACK, 8]);
    this.#instruction(MAIN + 0x25, 3);
    return this;
  }

  /** A line as it is, which gives no access. */
  line(text: string): this {
    this.lines.push(text);
    return this;
  }

  get text(): string {
    return `${this.lines.join("\n")}\n==77== Exit code: 0\n`;
  }

  #body(agent: "cpu" | "device", pc: number, accesses: Access[]): this {
    accesses.forEach((access, i) => {
      this.#instruction(pc + 4 * (i % 8), 4);
      this.#access(agent, access);
    });
    return this;
  }

  #instruction(pc: number, size: number): void {
    this.lines.push(`I  ${hex(pc)},${size}`);
  }

  #access(agent: "cpu" | "device", access: Access): void {
    const [kind, address, size] = access;
    this.lines.push(` ${kind} ${hex(address)},${size}`);
    this.accesses.push({ agent, access });
  }
}

/** n accesses, `stride` bytes apart. */
export function strided(kind: Access[0], start: number, n: number, stride: number, size = 8): Access[] {
  return Array.from({ length: n }, (_, i) => [kind, start + i * stride, size]);
}
