/**
 * The calls of the core that a call of the API makes, recorded on one engine and made again, directly, on
 * another one that was prepared in the same way: what the API costs beside the core is the difference.
 */
import { contextOf } from "../src/engine/context.ts";
import type { CoreExports } from "../src/engine/core.ts";
import type { Hmm } from "../src/index.ts";

type Call = (...args: number[]) => number;

/** One call of the core: the export's name, its arguments, and what it returned. */
export interface CoreCall {
  readonly name: string;
  readonly args: readonly number[];
  readonly answer: number;
}

/** Runs `body` and returns the calls of the core that it made. The engine is slower from then on. */
export function recordCalls(hmm: Hmm, body: () => void): CoreCall[] {
  const core = contextOf("recordCalls", hmm).core as unknown as Record<string, unknown>;
  const calls: CoreCall[] = [];
  const exports = Object.entries(core).filter(([, value]) => typeof value === "function");
  for (const [name, value] of exports) {
    core[name] = (...args: number[]) => {
      const answer = (value as Call)(...args);
      calls.push({ name, args, answer });
      return answer;
    };
  }
  try {
    body();
  } finally {
    Object.assign(core, Object.fromEntries(exports));
  }
  return calls;
}

/** Returns a function that makes the calls on another engine, written out as a programmer would do. */
export function compileCalls(hmm: Hmm, calls: readonly CoreCall[]): () => void {
  const { core } = contextOf("compileCalls", hmm);
  const lines = calls.map(({ name, args }) => `core.${name}(${args.join(", ")});`);
  // A loop over the calls would cost more than they do.
  // eslint-disable-next-line @typescript-eslint/no-implied-eval
  const make = new Function("core", `return () => {\n${lines.join("\n")}\n};`) as (
    core: CoreExports,
  ) => () => void;
  return make(core);
}

/** Makes the calls and returns whether each answers as it was recorded. */
export function answersAsRecorded(hmm: Hmm, calls: readonly CoreCall[]): boolean {
  const core = contextOf("answersAsRecorded", hmm).core as unknown as Record<string, Call>;
  return calls.map(({ name, args, answer }) => core[name](...args) === answer).every(Boolean);
}

/** Lists the calls for people: "migrateSetup, resume, copyPages". */
export function namesOf(calls: readonly CoreCall[]): string {
  return calls.map(({ name }) => name).join(", ");
}
