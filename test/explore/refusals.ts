/** What explore and its locks refuse: rows of the table in test/errors. */
import { explore, Lock, ScheduleError, type Agent } from "../../src/testing.ts";
import { bag, callback, flag, integer, text, type Argument } from "../errors/arguments.ts";
import type { Refusal, Row, Table } from "../errors/row.ts";
import { hmmRows } from "../errors/rows-hmm.ts";

const idle: Agent<unknown> = function* () {
  yield "idle";
};
const setup = (): unknown => null;

/** The engine's configuration is refused as Hmm.create refuses it. */
function configuration(): Record<string, Argument> {
  const { args = {} } = hmmRows["Hmm.create"] as Row;
  return Object.fromEntries(Object.entries(args).map(([path, argument]) => [`options.${path}`, argument]));
}

const refused = (
  why: string,
  outcome: Refusal["outcome"],
  names: string,
  says: RegExp,
  agents: object,
  options: object = {},
): Refusal => ({
  why,
  outcome,
  names,
  says,
  call: () => explore(agents as Record<string, Agent<unknown>>, { setup, ...options }),
});

const optionalCallback: Argument = callback(undefined);
const notAnArray: Argument = {
  right: () => undefined,
  wrongs: [null, 5, "a", {}].map((value) => ({
    given: () => value,
    outcome: "TypeError",
    says: /must be an array of agents' names/,
  })),
};

export const exploreRows: Table = {
  explore: {
    op: ["explore", "Hmm.create"],
    args: {
      agents: { ...bag(false), right: () => ({ idle }) },
      options: bag(false),
      "options.setup": callback(setup),
      ...configuration(),
      "options.invariants": bag(true),
      "options.atEnd": optionalCallback,
      "options.state": optionalCallback,
      "options.steps": integer(undefined, 1, 10_000),
      "options.limit": integer(undefined, 0, 0xffffffff),
      "options.samples": integer(undefined, 0, 0xffffffff),
      "options.seed": integer(undefined, 0, 0xffffffff),
      "options.schedule": notAnArray,
    },
    more: [
      refused("an agent that is none", "TypeError", "agents.a", /must be a function, got 5/, { a: 5 }),
      refused(
        "an unknown agent",
        "RangeError",
        "schedule",
        /must be made of idle, got "b"/,
        { idle },
        { schedule: ["b"] },
      ),
      refused(
        "an invariant that is none",
        "TypeError",
        "invariants.holds",
        /must be a function/,
        { idle },
        { invariants: { holds: 1 } },
      ),
      refused("a label that is none", "TypeError", "agent a", /must be a string, got 1/, {
        *a() {
          yield 1;
        },
      }),
    ],
  },
  "ScheduleError#schedule": {
    on: () => new ScheduleError("deadlock", [], false),
    nothing: "it has no argument",
  },
  waitFor: { args: { condition: flag(true), what: { ...text(), right: () => "nothing" } } },
  "new Lock": { args: { name: text() } },
  "Lock#holder": { on: () => new Lock(), nothing: "it has no argument" },
  "Lock#acquire": {
    on: () => new Lock(),
    op: ["lock.acquire"],
    more: [
      {
        why: "somebody has it",
        outcome: "EAGAIN",
        names: "gpu's lock",
        says: /which somebody holds/,
        call: () => {
          const lock = new Lock("gpu's lock");
          lock.acquire();
          lock.acquire();
        },
      },
    ],
  },
};
