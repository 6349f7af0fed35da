/** explore() tries every interleaving, waits, finds deadlocks, samples, and replays. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  hmmDevmemAdd,
  MADV_DONTNEED,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateVmaSetup,
  PAGE_SIZE,
  PROT_READ,
  VM_FAULT_SIGBUS,
  type Hmm,
} from "../../src/index.ts";
import { explore, Lock, ScheduleError, waitFor, type Agent, type ExploreOptions } from "../../src/testing.ts";
import { discard, driver, write } from "./agents.ts";
import { makeWorld, state, type World } from "./world.ts";
import { errorOf } from "../util/driver.ts";

/** A world that is the list of the steps taken. */
const setup = (): string[] => [];
let calls = 0;
/** Makes every state different, so nothing is pruned. */
const noPruning = (): number => ++calls;

/** An agent of n named steps, each of which it writes down. */
const steps = (name: string, n: number): Agent<string[]> =>
  function* (done) {
    for (let i = 1; i <= n; i++) {
      yield `${name}${i}`;
      done.push(`${name}${i}`);
    }
  };

function failure<W>(agents: Record<string, Agent<W>>, options: ExploreOptions<W>): ScheduleError {
  const error = errorOf(() => explore(agents, options));
  assert.instance(error, ScheduleError);
  return error as ScheduleError;
}

const test = suite("explore");

test("every interleaving runs once", () => {
  const seen: string[] = [];
  const atEnd = (done: string[]): void => void seen.push(done.join(" "));
  const agents = { a: steps("a", 3), b: steps("b", 2) };
  const result = explore(agents, { setup, state: noPruning, atEnd });
  assert.is(result.schedules, 10); // 5 over 2
  assert.is(new Set(seen).size, 10);
  assert.ok(seen.includes("a1 b1 a2 b2 a3") && seen.includes("b1 b2 a1 a2 a3"));
  assert.equal([result.complete, result.pruned, result.waits, result.sampled], [true, 0, 0, 0]);
  const three = { ...agents, c: steps("c", 2) };
  assert.is(explore(three, { setup, state: noPruning }).schedules, 210); // 7! / (3! 2! 2!)
});

test("equal states are explored once; `state` adds what the engine does not hold", () => {
  const agents = { a: steps("a", 3), b: steps("b", 2) };
  const pruned = explore(agents, { setup });
  assert.equal([pruned.schedules, pruned.states, pruned.pruned], [1, 12, 6]);
  assert.is(explore(agents, { setup, state: (done) => done }).schedules, 10);
});

test("an agent's labels are part of the state: they can say what the agent has seen", () => {
  const reader = (tells: boolean): Agent<World> =>
    function* ({ mm, start }) {
      yield "read";
      const seen = mm.load32(start);
      yield tells ? `seen ${seen}` : "seen it";
    };
  const options = { setup: (hmm: Hmm) => makeWorld(hmm) };
  const states = (tells: boolean): number =>
    explore({ reader: reader(tells), cpu: write(1) }, options).states;
  assert.ok(states(true) > states(false));
});

test("pruning misses nothing: it finds the same end states", () => {
  const ends = (more: object): string[] => {
    const found = new Set<string>();
    const atEnd = ({ gpu, values, mm, start }: World): void =>
      void found.add(`${values.join()} ${gpu.table.entries} ${mm.load32(start)} ${mm.faults.total}`);
    const agents = { driver, cpu: discard, thread: write(1, 2) };
    const result = explore(agents, { setup: (hmm: Hmm) => makeWorld(hmm), state, atEnd, ...more });
    assert.ok(result.complete);
    return [...found].sort();
  };
  const all = ends({ state: noPruning });
  assert.ok(all.length > 3);
  assert.equal(ends({}), all);
});

test("the engine is fresh for every schedule", () => {
  const snapshots = new Set<string>();
  const fresh = (hmm: Hmm): World => {
    const bytes = hmm.snapshot();
    snapshots.add(`${bytes.length} ${bytes.reduce((sum, byte) => (Math.imul(sum, 31) + byte) | 0, 0)}`);
    return makeWorld(hmm);
  };
  const { schedules } = explore({ cpu: write(1, 2), other: discard }, { setup: fresh });
  assert.ok(schedules > 1);
  assert.is(snapshots.size, 1);
});

const waiting = suite("explore: waiting");

const locker = (first: "one" | "two", second: "one" | "two"): Agent<Record<"one" | "two", Lock>> =>
  function* (locks) {
    yield `take ${first}`;
    using _first = locks[first].acquire();
    yield `take ${second}`;
    using _second = locks[second].acquire();
  };
const locks = (): Record<"one" | "two", Lock> => ({ one: new Lock("one"), two: new Lock("two") });

waiting("a held lock is waited for", () => {
  const { waits, schedules } = explore(
    { a: locker("one", "two"), b: locker("one", "two") },
    { setup: locks, state: noPruning },
  );
  assert.is(schedules, 2, "one after the other");
  assert.ok(waits > 0);
});

waiting("a deadlock is a failure, and replays", () => {
  const agents = { a: locker("one", "two"), b: locker("two", "one") };
  const error = failure(agents, { setup: locks });
  const waits =
    'a, step "take two", waits for: two, which b holds; b, step "take one", waits for: one, which a holds';
  assert.is(
    error.message,
    `explore: deadlock: ${waits}
  1. a  take one
  2. b  take two
replay with schedule: ["a","b"]`,
  );
  assert.equal([error.agent, error.step], [null, null]);
  assert.is(failure(agents, { setup: locks, schedule: error.schedule }).message, error.message);
});

/** An agent that takes memory from the process for a while, by an open migration. */
const migrates: Agent<World> = function* ({ mm, start, end }) {
  yield "setup";
  using _sem = mm.mmapSem.read("the migration");
  using _m = migrateVmaSetup({ vma: mm.findVma(start), start, end, select: MIGRATE_VMA_SELECT_SYSTEM });
  yield "finalize";
};

waiting("EAGAIN and a held mmapSem are waited for, whatever the step had done before", () => {
  const twice: Agent<World> = function* ({ mm, start, end }) {
    yield "write twice, and protect";
    mm.store32(start + 8, mm.load32(start + 8) + 1);
    mm.store32(start, 5);
    mm.mprotect(start, end - start, PROT_READ);
  };
  const atEnd = ({ mm, start }: World): void => assert.is(mm.load32(start + 8), 1, "made once");
  const result = explore({ migrates, twice }, { setup: (hmm: Hmm) => makeWorld(hmm), atEnd });
  assert.equal([result.schedules + result.pruned, result.waits], [2, 1]);
});

waiting(
  "a callback that must wait makes the step wait, even if the engine or the driver swallows its exception",
  () => {
    const world = (hmm: Hmm): { hmm: Hmm; lock: Lock; read: () => number } => {
      const mm = hmm.createMm();
      const start = mm.mmap({ length: PAGE_SIZE });
      mm.store32(start, 3);
      const lock = new Lock("the fault's lock");
      const fault = (): number => {
        try {
          lock.acquire().close();
        } catch {
          return VM_FAULT_SIGBUS;
        }
        mm.madvise(start, PAGE_SIZE, MADV_DONTNEED);
        return 0;
      };
      const devmem = hmmDevmemAdd(hmm, { fault }, "device", 2 << 20);
      using _sem = mm.mmapSem.read();
      using m = migrateVmaSetup({ vma: mm.findVma(start), start, end: start + PAGE_SIZE });
      devmem.allocPages(m.src, m.dst);
      m.pages();
      return { hmm, lock, read: () => mm.load32(start) };
    };
    const holder: Agent<ReturnType<typeof world>> = function* ({ lock }) {
      yield "lock";
      using _lock = lock.acquire();
      yield "unlock";
    };
    const reader: Agent<ReturnType<typeof world>> = function* ({ read }) {
      yield "read";
      assert.is(read(), 0);
    };
    assert.is(explore({ holder, reader }, { setup: world }).waits, 1);
  },
);

waiting("waitFor names what it waits for", () => {
  const never: Agent<string[]> = function* (done) {
    yield "go on";
    waitFor(done.length > 5, "six of them");
  };
  const error = failure({ a: steps("a", 1), never }, { setup });
  assert.match(error.message, 'deadlock: never, step "go on", waits for: six of them');
  assert.throws(() => waitFor(false, "outside"), /EAGAIN: outside/);
});

test("an agent that never ends is a failure", () => {
  const forEver: Agent<string[]> = function* () {
    for (;;) yield "again";
  };
  const error = failure({ forEver }, { setup, steps: 12 });
  assert.match(
    error.message,
    /^explore: forEver, step "again": more than 12 steps\n {2}1\. forEver {2}again\n/,
  );
  assert.is(error.steps.length, 13);
});

test("memory left in use at the end is a failure", () => {
  const holds: Agent<World> = function* ({ mm }) {
    yield "lock";
    mm.mmapSem.read("somebody");
  };
  const error = failure({ holds }, { setup: (hmm: Hmm) => makeWorld(hmm) });
  assert.match(
    error.message,
    /^explore: at the end: mm 1: mmapSem is still held: somebody\n {2}1\. holds {2}lock\n/,
  );
});

test("an invariant that is false or throws, and an agent that throws, are failures", () => {
  const agents = { a: steps("a", 2), b: steps("b", 1) };
  const isShort = failure(agents, { setup, invariants: { short: (done: string[]) => done.length < 2 } });
  assert.match(isShort.message, /^explore: a, step "a2": invariant "short": it does not hold\n/);
  assert.equal([isShort.agent, isShort.step, isShort.schedule], ["a", "a2", ["a", "a"]]);
  const cause = new Error("no b");
  const noB = (done: string[]): void => {
    if (done.includes("b1")) throw cause;
  };
  const thrown = failure(agents, { setup, invariants: { noB } });
  assert.match(thrown.message, /^explore: b, step "b1": invariant "noB": no b\n/);
  assert.is(thrown.cause, cause);
  const throws: Agent<string[]> = function* () {
    yield "throw";
    throw cause;
  };
  assert.match(failure({ throws }, { setup }).message, /^explore: throws, step "throw": no b\n/);
  const atEnd = (): void => assert.unreachable("the end");
  assert.match(failure(agents, { setup, atEnd }).message, /^explore: at the end: the end\n/);
});

const large = { a: steps("a", 6), b: steps("b", 6), c: steps("c", 6) };
/** A failure that few of the 17 million schedules reach. */
const rare = { rare: (done: string[]) => !done.join(" ").endsWith("c1 b1 a1 b2 c2 c3") };

test("beyond the limit, schedules are random; the same seed makes the same schedules", () => {
  const options = { setup, state: noPruning, limit: 50, samples: 30 };
  const result = explore(large, options);
  assert.equal([result.complete, result.schedules, result.sampled, result.seed], [false, 80, 30, 1]);
  const find = (seed: number): string =>
    failure(large, { ...options, invariants: rare, samples: 5000, seed }).message;
  const found = find(3);
  assert.match(found, /^explore: c, step "c3": invariant "rare": it does not hold\n/);
  assert.match(found, /\nfound by random schedule \d+ of seed 3$/);
  assert.is(find(3), found);
  assert.is.not(find(4), found);
});

test("a failing schedule has no unnecessary step", () => {
  const agents = { a: steps("a", 3), b: steps("b", 3), c: steps("c", 3) };
  const invariants = { order: (done: string[]) => done.at(-1) !== "a2" || !done.includes("c1") };
  assert.equal(failure(agents, { setup, state: noPruning, invariants }).schedule, ["a", "c", "a"]);
});

test("a schedule is replayed as recorded, and an invalid schedule is refused", () => {
  const made: string[] = [];
  const atEnd = (done: string[]): void => void made.push(done.join(" "));
  const agents = { a: steps("a", 2), b: steps("b", 1) };
  const result = explore(agents, { setup, atEnd, schedule: ["a", "b"] });
  assert.equal(made, ["a1 b1 a2"], "from the schedule's end on, one after the other");
  assert.equal([result.complete, result.schedules], [false, 1]);
  const refused = (schedule: string[]): string => String(errorOf(() => explore(agents, { setup, schedule })));
  assert.match(
    refused(["b", "b"]),
    /RangeError: explore: options.schedule\[1\] must be an agent that can go on there/,
  );
  assert.match(refused(["c"]), /RangeError: explore: options.schedule must be made of a, b, got "c"/);
  const deadlock = { a: locker("one", "two"), b: locker("two", "one") };
  const waits = errorOf(() => explore(deadlock, { setup: locks, schedule: ["a", "b", "a", "b"] }));
  assert.match(
    String(waits),
    /RangeError: explore: options.schedule\[2\] must be an agent that can go on there/,
  );
});

test("agents that are not deterministic are reported", () => {
  let count = 0;
  const counts: Agent<string[]> = function* () {
    yield `${++count}`;
    yield "end";
  };
  assert.throws(
    () => explore({ a: steps("a", 1), counts }, { setup, state: noPruning }),
    /explore: setup and agents must do the same each time: step 1 was counts's "\d", and is "\d"/,
  );
});

test("a label must be a string", () => {
  const agents = {
    a: function* () {
      yield 1;
    } as unknown as Agent<string[]>,
  };
  assert.throws(() => explore(agents, { setup }), /explore: what agent a yields must be a string, got 1/);
});

waiting.run();
test.run();
