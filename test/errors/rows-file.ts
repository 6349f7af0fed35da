/** Files. */
import { PAGE_SIZE } from "../../src/index.ts";
import {
  also,
  bag,
  bytes,
  ended,
  integer,
  object,
  type Argument,
  type Given,
  type Wrong,
} from "./arguments.ts";
import { NO_ARGUMENT, SAYS, TWICE } from "./common.ts";
import type { Refusal, Table } from "./row.ts";
import { inCallback } from "./rows-hmm.ts";
import type { World } from "./world.ts";

const LIMIT = 2 ** 48 - 1;

/** A file that is mapped, or nothing. */
export const fileArgument: Argument = also(
  object(() => undefined, "a HmmFile", [], []),
  ended((w) => w.closed.file, /the file is closed/),
  ended((w) => w.other.file, /file belongs to another Hmm/),
);

const offset = integer(0, 0, LIMIT);
/** Bytes to read into, or how many. */
const target = also(
  bytes(() => 8, /must be a Uint8Array or a length/),
  ...integer(8, 0, 2 ** 31).wrongs.filter(({ outcome }) => outcome === "RangeError"),
);

const beyond = (call: Refusal["call"], shows = "16"): Refusal => ({
  why: "a range that ends beyond 2^48",
  outcome: "RangeError",
  names: "length",
  shows,
  says: /ends below 2\^48/,
  call,
});

const inNotifier = (call: (w: World) => unknown): Refusal => ({
  why: "from a notifier's callback",
  outcome: "EDEADLK",
  names: "",
  says: /from a notifier's callback/,
  call: (w) => inCallback(w, () => call(w)),
  changes: "the operation that invalidates goes on",
});

const kinds: Wrong[] = ["tape", 5, null, {}].map((value) => ({
  given: () => value,
  outcome: "RangeError",
  says: /must be "disk" or "shmem"/,
}));

const end: Given = (w) => w.file.size;

export const fileRows: Table = {
  "Hmm#createFile": {
    args: {
      options: bag(true),
      "options.bytes": integer(undefined, 0, LIMIT),
      "options.kind": { right: () => undefined, wrongs: kinds },
    },
  },
  "Hmm#files": { nothing: NO_ARGUMENT },
  "Hmm#faultAround": { nothing: NO_ARGUMENT },
  "Hmm#faultAround=": {
    args: {
      value: {
        ...also(integer(8192, PAGE_SIZE, 2 << 20), {
          given: () => 12288,
          outcome: "RangeError",
          says: /must be a power of two/,
        }),
        as: "bytes",
      },
    },
  },
  "HmmFile#closed": { afterClose: SAYS, nothing: NO_ARGUMENT },
  "HmmFile#kind": {},
  "HmmFile#size": {},
  "HmmFile#cachedPages": {},
  "HmmFile#read": {
    args: { offset, target },
    more: [beyond((w) => w.file.read(2 ** 48 - 8, new Uint8Array(16)))],
  },
  "HmmFile#write": {
    args: {
      offset: { ...offset, right: end },
      bytes: bytes(() => new Uint8Array(8)),
      options: bag(true),
      "options.memcg": also(
        object(() => undefined, "a Memcg", [], [null]),
        ended((w) => w.closed.memcg, /memcg is closed/),
        ended((w) => w.other.memcg, /memcg belongs to another Hmm/),
      ),
    },
    more: [beyond((w) => w.file.write(2 ** 48 - 8, new Uint8Array(16)))],
  },
  "HmmFile#truncate": {
    args: { bytes: integer(0, 0, LIMIT) },
    more: [inNotifier((w) => w.file.truncate(0))],
  },
  "HmmFile#punchHole": {
    args: { offset, length: integer(1, 1, LIMIT) },
    more: [
      beyond((w) => w.file.punchHole(2 ** 48 - 8, 16)),
      inNotifier((w) => w.file.punchHole(0, PAGE_SIZE)),
    ],
  },
  "HmmFile#close": { afterClose: TWICE, nothing: NO_ARGUMENT },
};
