/** Makes the wrong calls of a row and checks their outcomes. */
import * as assert from "uvu/assert";
import { HEADER } from "../../assembly/abi/header.ts";
import * as dmirror from "../../src/dmirror.ts";
import * as heteromem from "../../src/index.ts";
import * as testing from "../../src/testing.ts";
import { shown, type Argument, type Wrong } from "./arguments.ts";
import { RECEIVERS } from "./receivers.ts";
import type { Refusal, Row } from "./row.ts";
import { SCRATCH } from "./scratch.ts";
import type { Callable } from "./surface.ts";
import { javascriptState, linearMemory, makeWorld, type World } from "./world.ts";

const { PAGE_SIZE } = heteromem;

type Call = (...args: unknown[]) => unknown;

export const EXPORTS: Record<string, unknown> = { ...heteromem, ...dmirror, ...testing };

/** The expected refusal. */
type Verdict = Omit<Refusal, "why" | "call">;

/** The outcome of a call. */
interface Outcome {
  returned?: unknown;
  thrown?: unknown;
}

/** Stands for a promise that does not settle: the call was not refused. */
const PENDING = "a promise that is pending";
const PATIENCE_MS = 50;

async function attempt(body: () => unknown): Promise<Outcome> {
  try {
    const returned = body();
    if (!(returned instanceof Promise)) return { returned };
    const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, PENDING));
    return { returned: await Promise.race([returned, late]) };
  } catch (thrown) {
    return { thrown };
  }
}

/** A copy of linear memory that all tests use, one after the other. */
let spareCopy = new Uint8Array(0);

/** The tests of one call on one build. */
export class Refusals {
  readonly key: string;
  readonly row: Row;
  readonly problems: string[] = [];
  /** Number of wrong calls made. */
  count = 0;
  readonly #module: WebAssembly.Module;
  readonly #parameters: string[];
  #world!: World;
  #before!: Uint8Array;
  #state!: string;

  constructor(callable: Callable, row: Row, module: WebAssembly.Module) {
    this.key = callable.key;
    this.row = row;
    this.#module = module;
    this.#parameters = callable.parameters;
  }

  async run(): Promise<void> {
    this.#covered();
    this.#fresh();
    for (const [path, argument] of Object.entries(this.row.args ?? {})) {
      for (const wrong of argument.wrongs) await this.#wrongArgument(path, argument, wrong);
    }
    await this.#afterClose();
    await this.#locks();
    for (const refusal of this.row.more ?? []) {
      await this.#refused(refusal.why, refusal, (w) => refusal.call(w));
    }
    await this.#right();
    const { nothing } = this.row;
    if (this.count === 0 && (nothing ?? "") === "")
      this.#problem("refuses nothing, and the row does not say why");
    if (this.count > 0 && nothing !== undefined) this.#problem("the row says that nothing is refused");
  }

  #problem(text: string): void {
    this.problems.push(`${this.key}: ${text}`);
  }

  /** Reports parameters without a line in the row, and lines without a parameter. */
  #covered(): void {
    const lines = Object.keys(this.row.args ?? {});
    for (const path of this.#parameters)
      if (!lines.includes(path)) this.#problem(`the row lacks argument ${path}`);
    for (const path of lines)
      if (!this.#parameters.includes(path)) this.#problem(`there is no argument ${path}`);
  }

  #fresh(): void {
    const w = makeWorld(this.#module);
    this.row.prepare?.(w);
    if (this.row.lock !== undefined) this.row.lock.of(w).mmapSem[this.row.lock.mode]("the test");
    this.#world = w;
    const memory = linearMemory(w);
    if (spareCopy.length !== memory.length) spareCopy = new Uint8Array(memory.length);
    spareCopy.set(memory);
    this.#before = spareCopy;
    this.#state = JSON.stringify(javascriptState(w));
  }

  /** Calls with one wrong argument among valid ones. */
  async #wrongArgument(path: string, { as }: Argument, wrong: Wrong): Promise<void> {
    const w = this.#world;
    const value = wrong.given(w);
    const names = as ?? path.split(".").at(-1)!;
    await this.#refused(`${path} = ${shown(value)}`, { shows: shown(value), names, ...wrong }, () =>
      this.#call(this.#open(w), this.#values(w, path, value)),
    );
  }

  #open(w: World): object | null {
    return this.row.on?.(w) ?? RECEIVERS[this.#owner]?.open(w) ?? null;
  }

  get #owner(): string {
    return this.key.split(/[#.]/)[0];
  }

  /** Returns the valid arguments, with the wrong value in its place. */
  #values(w: World, wrongPath = "", wrong?: unknown): unknown[] {
    const build = (path: string): unknown => {
      if (path === wrongPath) return wrong;
      const members = this.#parameters.filter(
        (other) => other.startsWith(`${path}.`) && !other.slice(path.length + 1).includes("."),
      );
      if (members.length === 0) return this.row.args?.[path]?.right(w);
      const own = this.row.args?.[path]?.right(w) as object | undefined;
      const entries = members.map((member) => [member.slice(path.length + 1), build(member)] as const);
      const given = entries.filter(([name, value]) => value !== undefined || `${path}.${name}` === wrongPath);
      return own ?? Object.fromEntries(given);
    };
    return this.#parameters.filter((path) => !path.includes(".")).map(build);
  }

  #call(receiver: object | null, values: unknown[]): unknown {
    const { key } = this;
    if (key.startsWith("new ")) return Reflect.construct(EXPORTS[key.slice(4)] as never, values);
    const [owner, name] = key.split(/[#.]/);
    if (name === undefined) return (EXPORTS[owner] as Call)(...values);
    const on = (key.includes("#") ? receiver : EXPORTS[owner]) as Record<string, unknown>;
    if (name.endsWith("=")) return Reflect.set(on, name.slice(0, -1), values[0]);
    const member = on[name];
    return typeof member === "function" ? (member as Call).apply(on, values) : member;
  }

  async #afterClose(): Promise<void> {
    const receiver = RECEIVERS[this.#owner];
    if (!this.key.includes("#") || receiver?.closed === undefined || this.row.on !== undefined) return;
    const { closed, closedSays = /closed/ } = receiver;
    const call = (w: World): unknown => this.#call(closed(w), this.#values(w));
    if (this.row.afterClose === undefined) {
      await this.#refused("after close()", { outcome: "TypeError", says: closedSays, names: "" }, call);
      return;
    }
    const { thrown } = await attempt(() => call(this.#world));
    if (thrown !== undefined) this.#problem(`after close(): ${shownError(thrown)}`);
    this.#unchanged("after close()", false);
  }

  async #locks(): Promise<void> {
    const { lock, takes } = this.row;
    const w = this.#world;
    const call = (): unknown => this.#call(this.#open(w), this.#values(w));
    if (lock !== undefined) {
      const sem = lock.of(w).mmapSem;
      const [leave, enter] =
        lock.mode === "read"
          ? [() => sem.leaveRead("the test"), () => sem.enterRead("the test")]
          : [() => sem.leaveWrite(), () => sem.enterWrite("the test")];
      leave();
      this.#state = JSON.stringify(javascriptState(w));
      const how =
        lock.mode === "write" ? /must be held for write, and it is free/ : /must be held.*, and it is free/;
      await this.#refused("lock not held", { outcome: "TypeError", says: how, names: "mmapSem" }, call);
      enter();
      this.#state = JSON.stringify(javascriptState(w));
    }
    if (takes === undefined) return;
    const mode = takes === "write" ? "read" : "write";
    using _guard = w.mm.mmapSem[mode]("somebody");
    this.#state = JSON.stringify(javascriptState(w));
    const says = new RegExp(`would deadlock: mmapSem is held for ${mode} by somebody`);
    await this.#refused("lock held by another", { outcome: "EDEADLK", says, names: "mmapSem" }, call);
    _guard.close();
    this.#state = JSON.stringify(javascriptState(w));
  }

  /** Checks that the valid arguments are accepted. */
  async #right(): Promise<void> {
    const w = this.#world;
    const { thrown, returned } = await attempt(() => this.#call(this.#open(w), this.#values(w)));
    if (thrown !== undefined) this.#problem(`the right arguments are refused: ${shownError(thrown)}`);
    if (typeof returned === "number" && returned < 0) this.#problem(`the right arguments get ${returned}`);
  }

  /** Makes a call that must be refused. */
  async #refused(what: string, wrong: Verdict, call: (w: World) => unknown): Promise<void> {
    this.count++;
    const { returned, thrown } = await attempt(() => call(this.#world));
    const problem = this.#verdict(wrong, returned, thrown);
    if (problem !== null) this.#problem(`${what}: ${problem}`);
    if (wrong.changes !== undefined) this.#fresh();
    else this.#unchanged(what, wrong.core ?? false);
  }

  #verdict(wrong: Verdict, returned: unknown, thrown: unknown): string | null {
    const { outcome, says, names, shows = "" } = wrong;
    if (thrown === undefined) {
      const answer = (returned as { ret?: unknown } | undefined)?.ret ?? returned;
      if (typeof outcome === "number" && answer === outcome) return null;
      return `not refused (returned ${shown(answer)})`;
    }
    if (!(thrown instanceof Error)) return `threw ${shown(thrown)}`;
    const { message } = thrown;
    if (typeof outcome === "number") return `threw "${message}", and did not return ${outcome}`;
    const kind = thrown instanceof heteromem.HmmError ? thrown.code : thrown.name;
    if (kind !== outcome) return `${kind}, not ${outcome}: "${message}"`;
    const ops = this.row.op ?? [this.#usualOp()];
    if (!ops.some((op) => message.startsWith(`${op}: `))) {
      return `the message does not begin with "${ops.join(" or ")}: ": "${message}"`;
    }
    const lacks = [names, shows, says].filter((part) =>
      typeof part === "string" ? !message.includes(part) : !part.test(message),
    );
    return lacks.length === 0 ? null : `the message lacks ${lacks.join(" and ")}: "${message}"`;
  }

  #usualOp(): string {
    const { key } = this;
    if (!key.includes("#")) return key;
    const prefix = RECEIVERS[this.#owner].op;
    return `${prefix}.${key.slice(key.indexOf("#") + 1).replace("=", "")}`;
  }

  #unchanged(what: string, core: boolean): void {
    const w = this.#world;
    const state = JSON.stringify(javascriptState(w));
    const place = this.#firstChange(core);
    if (state === this.#state && place === null) {
      if (core) this.#before.set(linearMemory(w));
      return;
    }
    if (place !== null) this.#problem(`${what}: linear memory changed at ${place}`);
    else this.#problem(`${what}: objects changed: ${firstDifference(this.#state, state)}`);
    this.#fresh();
  }

  #firstChange(core: boolean): string | null {
    const now = linearMemory(this.#world);
    if (Buffer.compare(now, this.#before) === 0) return null;
    const scratch = core ? SCRATCH.flatMap((area) => area.ranges(this.#world)) : [];
    for (let page = 0; page < now.length; page += PAGE_SIZE) {
      const end = Math.min(page + PAGE_SIZE, now.length);
      if (Buffer.compare(now.subarray(page, end), this.#before.subarray(page, end)) === 0) continue;
      for (let i = page; i < end; i++) {
        if (now[i] !== this.#before[i] && !scratch.some(([from, to]) => i >= from && i < to))
          return `HEADER + ${i - HEADER}`;
      }
    }
    return null;
  }
}

const shownError = (thrown: unknown): string => (thrown instanceof Error ? String(thrown) : shown(thrown));

/** Returns the first difference of two texts with its surroundings. */
function firstDifference(a: string, b: string): string {
  let at = 0;
  while (a[at] === b[at]) at++;
  const around = (text: string): string => text.slice(Math.max(0, at - 30), at + 30);
  return `…${around(a)}… is now …${around(b)}…`;
}

/** Asserts that there are no problems, and prints all of them otherwise. */
export function assertNone(problems: string[]): void {
  assert.is(problems.length, 0, `\n${problems.join("\n")}`);
}
