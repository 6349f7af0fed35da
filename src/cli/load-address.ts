/**
 * Finds where a position-independent program was loaded when its trace was recorded. A trace names no files,
 * but the program's entry point runs, and its functions are called: a base fits if control jumps to the entry
 * point and to two other functions at that distance.
 */
import type { ElfProgram } from "./elf.ts";
import { UserError } from "./errors.ts";
import { TraceInput } from "./input.ts";
import { address } from "./words.ts";

const PAGE = 4096;
/** Functions that must have been called for a base to be believed, the entry point among them. */
const EVIDENCE = 3;
/** Characters of the trace that are looked at. */
const TEXT_MAX = 2 ** 28;
/** Where valgrind loads such programs on x86-64. */
const USUAL = 0x108000;

/** Throws UserError if the trace cannot tell. */
export async function findLoadAddress(trace: TraceInput, program: ElfProgram): Promise<number> {
  const advice =
    `${program.path} is position-independent: give --base with the address where it was loaded ` +
    `(valgrind loads it at ${address(USUAL)} on x86-64), or link it with -no-pie`;
  if (trace.size === undefined || program.entry === 0) throw new UserError(advice);
  const search = new Search(program);
  const input = await TraceInput.open(trace.name); // a second time: the replay starts at the beginning
  let rest = "";
  let length = 0;
  try {
    for await (const chunk of input.chunks(() => 0)) {
      const text = rest + Buffer.from(chunk).toString("latin1");
      const end = text.lastIndexOf("\n") + 1;
      rest = text.slice(end);
      search.look(text.slice(0, end));
      length += chunk.length;
      if (search.base !== null || length > TEXT_MAX) break;
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error; // a damaged trace is the replay's to report
  } finally {
    input.close();
  }
  if (search.base === null) throw new UserError(`${trace.name} does not tell where it was loaded. ${advice}`);
  return search.base;
}

/** Looks for the base in the jumps of a trace. */
class Search {
  base: number | null = null;
  readonly #entry: number;
  readonly #starts: ReadonlySet<number>;
  readonly #needed: number;
  /** By base: the functions that control has jumped to. */
  readonly #candidates = new Map<number, Set<number>>();
  readonly #targets = new Set<number>();
  #next = -1;

  constructor({ entry, functions }: ElfProgram) {
    this.#entry = entry;
    this.#starts = new Set([entry, ...functions.map(({ start }) => start)]);
    this.#needed = Math.min(EVIDENCE, this.#starts.size);
  }

  look(text: string): void {
    for (const [, digits, size] of text.matchAll(/^I[ \t]+([0-9a-f]+),(\d+)/gim)) {
      const pc = Number.parseInt(digits, 16);
      if (pc !== this.#next && !this.#targets.has(pc)) this.#jump(pc);
      if (this.base !== null) return;
      this.#next = pc + Number(size);
    }
  }

  #jump(pc: number): void {
    this.#targets.add(pc);
    const distance = pc - this.#entry;
    if (distance >= 0 && distance % PAGE === 0 && !this.#candidates.has(distance))
      this.#candidates.set(distance, new Set());
    for (const [base, called] of this.#candidates) {
      if (!this.#starts.has(pc - base)) continue;
      called.add(pc);
      if (called.size >= this.#needed) this.base = base;
    }
  }
}
