/** Rows of explore() and waitFor(). */
import { Lock, waitFor, type Agent } from "../../src/testing.ts";
import { bag, callback, flag, integer, text, u32, type Argument, type Wrong } from "./arguments.ts";
import { NO_ARGUMENT } from "./common.ts";
import type { Table } from "./row.ts";
import { configuration } from "./rows-hmm.ts";

const agent: Agent<unknown> = function* () {
  yield "nothing";
};

const typeErrors = (values: readonly unknown[], says: RegExp, names?: string): Wrong[] =>
  values.map((value) => {
    const wrong: Wrong = { given: () => value, outcome: "TypeError", says };
    return names === undefined ? wrong : { ...wrong, names, shows: "" };
  });

const string: Argument = {
  right: () => "it",
  wrongs: typeErrors([undefined, null, 5, {}], /must be a string/),
};

export const exploreRows: Table = {
  explore: {
    op: ["explore", "Hmm.create", "Hmm.createSync"],
    args: {
      agents: {
        right: () => ({ one: agent }),
        wrongs: [
          ...typeErrors([null, undefined, 5, "agents"], /must be an object/),
          ...typeErrors([{ one: 5 }, { one: null }], /must be a function/, "agents.one"),
        ],
      },
      options: bag(false),
      "options.setup": callback(() => () => 0),
      ...configuration("options.config"),
      "options.invariants": {
        right: () => undefined,
        wrongs: [
          ...typeErrors([null, 5], /must be an object/),
          ...typeErrors([{ it: true }], /must be a function/, "options.invariants.it"),
        ],
      },
      "options.atEnd": callback(undefined),
      "options.state": callback(undefined),
      "options.steps": integer(undefined, 1, 10_000),
      "options.limit": u32(undefined),
      "options.samples": u32(undefined),
      "options.seed": u32(undefined),
      "options.schedule": {
        right: () => undefined,
        wrongs: [
          ...typeErrors([null, 5, "one"], /must be an array of agents' names/),
          { given: () => ["two"], outcome: "RangeError", says: /made of one/, shows: '"two"' },
        ],
      },
    },
  },
  "ScheduleError#schedule": { nothing: NO_ARGUMENT },
  waitFor: {
    args: { condition: flag(true), what: string },
    more: [
      {
        why: "a condition that does not hold",
        outcome: "EAGAIN",
        names: "",
        says: /: it$/,
        call: () => waitFor(false, "it"),
      },
    ],
  },
  "new Lock": { args: { name: text() } },
  "Lock#holder": { nothing: NO_ARGUMENT },
  "Lock#acquire": {
    more: [
      {
        why: "it is held",
        outcome: "EAGAIN",
        names: "the lock",
        says: /which somebody holds/,
        call: () => {
          const lock = new Lock("the lock");
          lock.acquire();
          lock.acquire();
        },
      },
    ],
  },
};
