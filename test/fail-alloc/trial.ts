/**
 * One allocation of one recorded operation fails, once. The operation has to say so, or to get by without it; nothing may
 * be broken, no byte lost; and when it is repeated, everything is as if nothing had happened.
 */
import { EAGAIN, EBUSY, EFAULT, EINVAL, EIO, ENOENT, ENOMEM, HmmError } from "../../src/index.ts";
import { contextOf } from "../../src/engine/context.ts";
import { HDR_FAIL_ALLOC } from "../../assembly/abi/header.ts";
import type { Answer, GoldenRecord, Scenario } from "../golden/records.ts";
import { makeEngineWorld, type EngineWorld } from "../golden/world.ts";
import { look, readAll, type Contents } from "./contents.ts";

/** What an operation answered; `error` is what it threw. */
type Said = Answer & { error?: string };

export interface Trial {
  scenario: string;
  /** The operation's number, and the operation. */
  index: number;
  op: string;
  args: (number | string)[];
  /** Which of its allocations failed. */
  nth: number;
  /** What the operation answered: an error; less than without the failure; the same. */
  outcome: "reported" | "partly" | "same";
  said: Said;
  /** What is wrong. */
  problem?: string;
}

/** More allocations than any operation makes. */
const MANY = 0xffffffff;

/** A world in which the operations before lines[at] have been performed. */
function before(scenario: Scenario, at: number): EngineWorld {
  const world = makeEngineWorld(scenario);
  for (const line of scenario.lines.slice(0, at)) world.act(line);
  return world;
}

/** Performs an operation. An HmmError is an answer, too. */
function say(world: EngineWorld, line: GoldenRecord): Said {
  try {
    return world.act(line);
  } catch (error) {
    const errors: unknown[] = error instanceof AggregateError ? error.errors : [error];
    if (!errors.every((one) => one instanceof HmmError)) throw error;
    return { error: errors[0].code };
  }
}

/** As say(), with the nth allocation failing. Returns the allocations that were left to go, too. */
function sayFailing(world: EngineWorld, line: GoldenRecord, nth: number): { said: Said; left: number } {
  world.hmm.failAllocation(nth);
  try {
    const said = say(world, line);
    return { said, left: contextOf("fail-alloc", world.hmm).mem.header(HDR_FAIL_ALLOC) };
  } finally {
    world.hmm.failAllocation(0);
  }
}

/** How many allocations each line makes. */
export function countAllocations(scenario: Scenario): number[] {
  const world = makeEngineWorld(scenario);
  const counts = scenario.lines.map((line) => MANY - sayFailing(world, line, MANY).left);
  world.close();
  return counts;
}

/** What the operation does where nothing fails. */
interface Clean {
  said: Said;
  /**
   * What memory may hold afterwards, looked at and read. If the operation fails by rule, there are two states: after
   * it, and after it was repeated, since a device that has mapped more by then writes more.
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

/** Performs lines[at] once for each of these allocations of its, which fails. */
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
  // An operation that fails by rule does not say which failure it met: it is repeated, too.
  if (trial.outcome === "same" && !isError(clean.said))
    demandSame("without a word, it has lost", now, clean.contents);
  else {
    // A file that could not be filled is a new one all the same.
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
 * Performs an operation again, with what the kernel's test driver needs where a part of the first attempt has had an
 * effect. Pages that have moved to a device whose table then had no room for them do not move again: the device faults
 * their entries in when it reads them. A write of the device to pages of its own that fork has shared is EFAULT, unless
 * a page before them needs a fault, which then takes them back, too; after the first attempt none does.
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

/** What counts as an answer: not how many faults and pages it took to get there. */
function essence({ faults: _faults, flt: _flt, cpages: _cpages, ...rest }: Said): string {
  return JSON.stringify(rest);
}

function isError({ error, ret, ok, sig, rets, data }: Said): boolean {
  const negative = (value: number | string): boolean => typeof value === "number" && value < 0;
  const signal = (value: number | string): boolean => typeof value === "string" && value.startsWith("SIG");
  if (error !== undefined || ok === 0 || (ret !== undefined && ret < 0)) return true;
  return [...(sig ?? []), ...(rets ?? []), ...(data ?? [])].some((value) => negative(value) || signal(value));
}

/** How an operation says that memory ran out, where it is not ENOMEM, or EFAULT where a driver's callback threw it. */
const CODES: Readonly<Record<string, readonly number[]>> = {
  mlock: [EAGAIN],
  // The page could not be read back through the device's table.
  dmig: [ENOENT],
  // Not all pages of the piece were lent.
  dexcl: [EBUSY],
  // A page that MADV_COLLAPSE needs could not be swapped in: as the kernel says it.
  "madv collapse": [EINVAL],
  // What /proc/PID/mem answers to a failed access.
  memread: [EIO],
  memwrite: [EIO],
};

/** Is the error one that this operation answers when memory runs out? */
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

/** Each place of which `allowed` all know the content has one of these contents. */
function demandSame(what: string, now: Contents, allowed: readonly Contents[]): void {
  for (const [place, content] of now) {
    const known = allowed.flatMap((contents) => contents.get(place) ?? []);
    if (known.length === allowed.length && !known.includes(content))
      throw new Error(`${what} ${place}: ${content} instead of ${known.join(" or ")}`);
  }
}
