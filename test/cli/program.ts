/** Writes small lackey traces, and records the agent of each access. */

/** Addresses of the traced program's code. */
export const KERNEL = { start: 0x402000, end: 0x402100 };
export const KERNEL_RANGE = "kernel=0x402000-0x402100";
const MAIN = 0x401000;
const CALLEE = 0x403000;
const STACK = 0x1fff000d00;

const hex = (value: number): string => value.toString(16).padStart(8, "0");

/** A load, store or modify as "L" (or "S", "M"), address, bytes. */
export type Access = [kind: "L" | "S" | "M", address: number, size: number];

/**
 * Writes the trace of a program that works at MAIN and calls a kernel at KERNEL. The kernel calls a function
 * that main calls too. The agent of each access is known by construction.
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

  /** The CPU calls the kernel's callee, which lies outside the kernel's range. */
  cpuCallee(accesses: Access[]): this {
    this.#instruction(MAIN + 0x40, 5);
    this.#access("cpu", ["S", STACK, 8]);
    this.#body("cpu", CALLEE, accesses);
    this.#instruction(CALLEE + 0x80, 1);
    this.#access("cpu", ["L", STACK, 8]);
    this.#instruction(MAIN + 0x45, 3);
    return this;
  }

  /** The CPU calls the kernel, which makes `accesses`; the kernel's callee makes `callee` for it. */
  kernel(accesses: Access[], callee: Access[] = []): this {
    this.#instruction(MAIN + 0x20, 5);
    this.#access("cpu", ["S", STACK, 8]);
    this.#body("device", KERNEL.start, accesses);
    if (callee.length > 0) {
      this.#instruction(KERNEL.start + 0x60, 5);
      this.#access("device", ["S", STACK - 8, 8]);
      this.#body("device", CALLEE, callee);
      this.#instruction(CALLEE + 0x80, 1);
      this.#access("device", ["L", STACK - 8, 8]);
    }
    this.#instruction(KERNEL.start + 0x65, 1);
    this.#access("device", ["L", STACK, 8]);
    this.#instruction(MAIN + 0x25, 3);
    return this;
  }

  /** Adds a line that is no access. */
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

/** Makes n accesses, `stride` bytes apart. */
export function strided(kind: Access[0], start: number, n: number, stride: number, size = 8): Access[] {
  return Array.from({ length: n }, (_, i) => [kind, start + i * stride, size]);
}

/** Returns small numbers from a seed, for accesses without a pattern. */
function* random(seed: number): Generator<number, never> {
  for (let x = seed; ;) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    yield x >>> 8;
  }
}

function scattered(seed: number, n: number, start: number, bytes: number): Access[] {
  const numbers = random(seed);
  const next = (): number => numbers.next().value;
  return Array.from({ length: n }, () => [
    "LSM"[next() % 3] as Access[0],
    start + (next() % bytes),
    1 << (next() % 5),
  ]);
}

const A = 0x5000000;
const B = 0x7000000;

/** A program that streams, scatters, calls functions, straddles pages, and reads the device's results. */
export const PROGRAM = new Program()
  .cpu(strided("S", A, 40, 4096))
  .cpu(strided("L", B + 0x20000, 3, 4096))
  .line(" L ffffffffff600400,8")
  .kernel(strided("L", A, 160, 1024), strided("S", B, 40, 4096))
  .cpuCallee(strided("L", B, 5, 4096 * 7))
  .line("--77-- a message in between")
  .kernel([
    ["S", A + 4095, 8],
    ["M", A + 0x10000 - 4, 8],
    ["L", B + 0x1fffff, 2],
  ])
  .kernel(scattered(1, 300, A, 0x60000))
  .cpu(scattered(2, 50, A, 0x60000))
  .kernel(scattered(3, 300, A, 0x60000), scattered(4, 30, B, 0x30000))
  .cpu(strided("M", A, 30, 5000, 16));
