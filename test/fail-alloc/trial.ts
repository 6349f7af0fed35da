/**
 * One allocation of one recorded operation fails once. The operation must report the failure or do without
 * the allocation; nothing breaks, no byte is lost; and the repeated operation leaves the state of a run
 * without failure.
 */
import { EAGAIN, EBUSY, EFAULT, EINVAL, EIO, ENOENT, ENOMEM, HmmError } from "../../src/index.ts";
import { contextOf } from "../../src/engine/context.ts";
import { HDR_FAIL_ALLOC } from "../../assembly/abi/header.ts";
import type { Answer, GoldenRecord, Scenario } from "../golden/records.ts";
import { makeEngineWorld, type EngineWorld } from "../golden/world.ts";
import { look, readAll, type Contents } from "./contents.ts";

/** An operation's answer; `error` is what it threw. */
type Said = Answer & { error?: string };

export interface Trial {
  scenario: string;
  /** The operation's number and the operation. */
  index: number;
  op: string;
  args: (number | string)[];
  /** The number of the allocation that failed. */
  nth: number;
  /** The operation's answer: an error, less than without the failure, or the same. */
  outcome: "reported" | "partly" | "same";
  said: Said;
  /** Problems found. */
  problem?: string;
}

/** More allocations than any operation makes. */
const MANY = 0xffffffff;

/** Returns a world after the operations before lines[at]. */
function before(scenario: Scenario, at: number): EngineWorld {
  const world = makeEngineWorld(scenario);
  for (const line of scenario.lines.slice(0, at)) world.act(line);
  return world;
}

/** Performs an operation. An HmmError counts as an answer. */
function say(world: EngineWorld, line: GoldenRecord): Said {
  try {
    return world.act(line);
  } catch (error) {
    const errors: unknown[] = error instanceof AggregateError ? error.errors : [error];
    if (!errors.every((one) => one instanceof HmmError)) throw error;
    return { error: errors[0].code };
  }
}

/** Like say(), with the nth allocation failing. Also returns the allocations left until the failure. */
function sayFailing(world: EngineWorld, line: GoldenRecord, nth: number): { said: Said; left: number } {
  world.hmm.failAllocation(nth);
  try {
    const said = say(world, line);
    return { said, left: contextOf("fail-alloc", world.hmm).mem.header(HDR_FAIL_ALLOC) };
  } finally {
    world.hmm.failAllocation(0);
  }
}

/** Returns the number of allocations of each line. */
export function countAllocations(scenario: Scenario): number[] {
  const world = makeEngineWorld(scenario);
  const counts = scenario.lines.map((line) => MANY - sayFailing(world, line, MANY).left);
  world.close();
  return counts;
}

/** Returns what the operation does if nothing fails. */
interface Clean {
  said: Said;
  /**
   * Returns the contents that memory may have afterwards. An operation that fails by rule allows two: those
   * after the operation, and those after a repetition, since a device that has mapped more pages by then
   * writes more.
   */
  contents: Contents[];
  read: Contents[];
}

function cleanRun(scenario: Scenario, at: number): Clean {
  const line = scenario.lines[at];
  const world = before(scenario, at);
  const clean: Clean = { said: say(world, line), contents: [look(world)], read: [readAll(world)] };
  if (isError(clean.said)) {
    const twice = before(scenario, at);
    say(twice, line);
    say(twice, line);
    clean.contents.push(look(twice));
    clean.read.push(readAll(twice));
  }
  return clean;
}

/** Performs lines[at] once for each of the given allocations, with that allocation failing. */
export function* trials(scenario: Scenario, at: number, allocations: readonly number[]): Generator<Trial> {
  const line = scenario.lines[at];
  const clean = cleanRun(scenario, at);
  for (const nth of allocations) {
    const { s, i, op, args = [] } = line;
    const trial: Trial = { scenario: s, index: i, op, args, nth, outcome: "same", said: {} };
    const world = before(scenario, at);
    try {
      attempt(world, line, clean, trial);
    } catch (error) {
      trial.problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
    }
    yield trial;
  }
}

function attempt(world: EngineWorld, line: GoldenRecord, clean: Clean, trial: Trial): void {
  const old = look(world);
  const { said, left } = sayFailing(world, line, trial.nth);
  trial.said = said;
  trial.outcome = outcomeOf(said, clean.said);
  if (left > 0) throw new Error("the operation made fewer allocations than before");
  world.verify();
  const now = look(world);
  // An operation that fails by rule does not say which failure it met, so it is repeated.
  if (trial.outcome === "same" && !isError(clean.said))
    demandSame("without a word, it has lost", now, clean.contents);
  else {
    // A file that could not be filled is a new file all the same.
    if (line.op !== "file") demandSame("it has lost", now, [old, ...clean.contents]);
    if (isError(said) && !isError(clean.said) && !saysNoMemory(line, said))
      throw new Error("that does not say that memory ran out");
    const again = repeat(world, line, clean.said);
    world.verify();
    if (outcomeOf(again, clean.said) !== "same")
      throw new Error(`repeated, it says ${JSON.stringify(again)}`);
    demandSame("repeated, it has lost", look(world), clean.contents);
  }
  demandSame("reading finds lost", readAll(world), clean.read);
  world.close();
}

/**
 * Performs an operation again, with what the kernel's test driver needs where part of the first attempt took
 * effect. Pages that moved to a device whose table then had no room do not move again: the device faults
 * their entries in when it reads them. A device write to its own pages that fork has shared is EFAULT, unless
 * a page before them needs a fault, which takes them back as well; after the first attempt no page does.
 */
function repeat(world: EngineWorld, line: GoldenRecord, clean: Said): Said {
  const said = say(world, line);
  const { op, args = [] } = line;
  if (isError(clean)) return said;
  if (op === "dmig" && said.ret === -ENOENT) return say(world, { ...line, op: "dread" });
  if (op !== "dwrite" || said.ret !== -EFAULT) return said;
  say(world, { ...line, op: "dsys", args: args.slice(0, 3) });
  return say(world, line);
}

/** Returns the part of an answer that must agree: the counts of faults and pages may differ. */
function essence({ faults: _faults, flt: _flt, cpages: _cpages, ...rest }: Said): string {
  return JSON.stringify(rest);
}

function isError({ error, ret, ok, sig, rets, data }: Said): boolean {
  const negative = (value: number | string): boolean => typeof value === "number" && value < 0;
  const signal = (value: number | string): boolean => typeof value === "string" && value.startsWith("SIG");
  if (error !== undefined || ok === 0 || (ret !== undefined && ret < 0)) return true;
  return [...(sig ?? []), ...(rets ?? []), ...(data ?? [])].some((value) => negative(value) || signal(value));
}

/** Reports of a lack of memory other than ENOMEM, and than EFAULT where a driver's callback threw. */
const CODES: Readonly<Record<string, readonly number[]>> = {
  mlock: [EAGAIN],
  // The page could not be read back through the device's table.
  dmig: [ENOENT],
  // Not all pages of the piece were lent.
  dexcl: [EBUSY],
  // A page that MADV_COLLAPSE needs could not be swapped in: as the kernel says it.
  "madv collapse": [EINVAL],
  // The answer of /proc/PID/mem to a failed access.
  memread: [EIO],
  memwrite: [EIO],
};

/** Whether the operation may answer this error when memory runs out. */
function saysNoMemory({ op, args }: GoldenRecord, { error, ret = 0, rets = [], sig = [] }: Said): boolean {
  const name = op === "madv" ? `madv ${args![2]}` : op;
  const known = [ENOMEM, EFAULT, ...(CODES[name] ?? [])];
  const codes = ["ENOMEM", "EFAULT", ...(op === "mlock" ? ["EAGAIN"] : [])];
  if (error !== undefined && !codes.includes(error)) return false;
  if (![ret, ...rets].every((value) => value >= 0 || known.includes(-value))) return false;
  return sig.every((signal) => signal === 0 || signal === "SIGBUS/2");
}

function outcomeOf(said: Said, clean: Said): Trial["outcome"] {
  if (essence(said) === essence(clean)) return "same";
  return isError(said) ? "reported" : "partly";
}

/** Each place whose contents all of `allowed` know has one of these contents. */
function demandSame(what: string, now: Contents, allowed: readonly Contents[]): void {
  for (const [place, content] of now) {
    const known = allowed.flatMap((contents) => contents.get(place) ?? []);
    if (known.length === allowed.length && !known.includes(content))
      throw new Error(`${what} ${place}: ${content} instead of ${known.join(" or ")}`);
  }
}
