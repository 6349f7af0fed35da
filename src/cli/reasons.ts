/**
 * Why a file is no trace, a trace has no accesses, or a range no instructions: true sentences, and what to
 * do.
 */
import type { LackeyStats, TraceError } from "../sim.ts";
import { recognizeBytes, recognizeText } from "../text/recognize.ts";
import type { NamedRange } from "./offload-value.ts";
import { UserError } from "./errors.ts";
import { address, count, plural } from "./words.ts";

const READS = "heteromem run reads traces of valgrind --tool=lackey --trace-mem=yes, and .hmt traces";

/**
 * A line that cannot be decoded. `head`: the file's first bytes, if no access was decoded before; else null.
 */
export function whyNoTrace(name: string, error: TraceError, head: Uint8Array | null): UserError {
  if (head !== null) {
    const found = recognizeBytes(head) ?? recognizeText(new TextDecoder("latin1").decode(head));
    if (found !== null) {
      const advice = found.advice === "" ? READS : found.advice.replaceAll("FILE", name);
      return new UserError(`${name}: this is ${found.what}; ${advice}`);
    }
    if (error.kind !== "line") return new UserError(error.message);
    return new UserError(`${error.message}; ${READS}`);
  }
  if (error.kind === "size") return new UserError(error.message);
  return new UserError(
    `${error.message}; if the program printed this, record with --log-file=FILE, ` +
      "or skip such lines by --skip-foreign",
  );
}

const all = (accesses: number): string =>
  accesses === 1 ? "the only access is" : `all ${count(accesses)} accesses are`;

/** A trace whose lines gave no access to replay. */
export function whyNoAccess(
  name: string,
  stats: LackeyStats,
  unmappable: number,
  pid: number | null,
  head: Uint8Array,
): UserError {
  const { lines, instructions, kernelSkipped, processes, foreign } = stats;
  const where = `${name}:${Math.max(lines, 1)}`;
  const fail = (why: string): UserError => new UserError(`${where}: ${why}`);
  if (lines === 0) return fail("the trace is empty");
  if (pid !== null && !processes.includes(pid)) {
    const others = processes.length === 0 ? "it names none" : `it names ${processes.join(", ")}`;
    return new UserError(`--pid ${pid}: no process ${pid} in ${name}: ${others}`);
  }
  if (kernelSkipped > 0 && unmappable === 0) {
    const text = new TextDecoder("latin1").decode(head);
    const decimal = !/^ ?[LSM] +[0-9]*[a-f]/im.test(text);
    return fail(
      `${all(kernelSkipped)} at 2^47 or above, where no program's memory is` +
        (decimal ? "; are the addresses decimal? lackey's are hexadecimal" : ""),
    );
  }
  if (unmappable > 0) {
    const where =
      kernelSkipped === 0 ? "below 64 KiB or in the topmost page" : "below 64 KiB or at 2^47 or above";
    return fail(`${all(unmappable + kernelSkipped)} ${where}, where nothing can be mapped`);
  }
  if (foreign > 0) return fail(`${plural(foreign, "line")}, and none of them is of a trace; ${READS}`);
  if (instructions > 0) {
    return fail(
      `${plural(instructions, "instruction")}, and no load or store: ` +
        "were the lines with L, S and M filtered out?",
    );
  }
  return fail("no load or store in this trace: was it recorded with --trace-mem=yes?");
}

/** A range of --offload in which no instruction is. `areas`: where the trace's code lies. */
export function whyUnused(
  name: string,
  { name: range, start, end, origin }: NamedRange,
  areas: string,
): UserError {
  const where = areas === "" ? "the trace has no instructions" : `the trace's code lies at ${areas}`;
  return new UserError(
    `${origin}: no instruction of ${name} is in the range ${range} ` +
      `(${address(start)}-${address(end)}): ${where}; ` +
      "a position-independent program (PIE) is loaded at an address that --base adds, or --binary finds",
  );
}
