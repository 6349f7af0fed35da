/** Rows of calls on pages by number and on arrays of pages. */
import { also, callback, integer, words, type Argument, type Given, type Wrong } from "./arguments.ts";
import type { Table } from "./row.ts";
import { PAGES, type World } from "./world.ts";

/** A page frame number. */
const page = (...more: Wrong[]): Argument => ({
  ...integer((w: World) => w.pages.held, 1, 2559),
  wrongs: [...integer(1, 1, 2559).wrongs, ...more],
});
const noFrame: Wrong = {
  given: (w) => w.pages.none,
  outcome: "EINVAL",
  says: /must be a page/,
  core: true,
};
const freePage: Wrong = {
  given: (w) => w.pages.free,
  outcome: "EINVAL",
  says: /must be a page in use/,
  core: true,
};
const mapped: Given = (w) => w.pin.pages[0];

const arrays: Record<string, Argument> = { src: words((w) => w.pfns, 0), dst: words((w) => w.pfns, PAGES) };

const stranger: Wrong = {
  given: () => Uint32Array.from({ length: PAGES }, (_, i) => (i === 3 ? 0xc0000000 + 300 : 0)),
  outcome: "EINVAL",
  says: /must name a page in use/,
  shows: "0xc000012c",
  core: true,
};

export const pageRows: Table = {
  "Hmm#pfnArray": {
    args: { n: integer(4, 0, 2 ** 28) },
    more: [
      {
        why: "no room",
        outcome: "ENOMEM",
        names: "",
        says: /arena/,
        call: (w) => w.hmm.pfnArray(2 ** 20),
        core: true,
      },
    ],
  },
  "Hmm#addressArray": {
    args: { n: integer(4, 0, 2 ** 28) },
    more: [
      {
        why: "no room",
        outcome: "ENOMEM",
        names: "",
        says: /arena/,
        call: (w) => w.hmm.addressArray(2 ** 20),
        core: true,
      },
    ],
  },
  "Hmm#copyPages": {
    args: {
      src: also(arrays.src, { ...stranger, names: "src[3]" }),
      dst: also(arrays.dst, { ...stranger, names: "dst[3]" }),
    },
  },
  "Hmm#allocPages": { args: arrays },
  "Hmm#allocPage": { nothing: "it has no argument; 0 says that there is no page" },
  "Hmm#pageGet": { args: { page: page(noFrame, freePage) } },
  "Hmm#pagePut": {
    args: {
      page: page(noFrame, freePage, {
        given: (w) => w.pages.mapped,
        outcome: "EINVAL",
        says: /a reference of yours/,
        core: true,
      }),
    },
  },
  "Hmm#pageLock": { args: { page: page(noFrame, freePage) } },
  "Hmm#pageUnlock": {
    args: { page: page(noFrame, freePage, { given: mapped, outcome: "EINVAL", says: /locked/, core: true }) },
  },
  "Hmm#pageIsolate": { args: { page: page(noFrame, freePage) } },
  "Hmm#pagePutback": {
    args: {
      page: page(noFrame, freePage, {
        given: mapped,
        outcome: "EINVAL",
        says: /you have isolated/,
        core: true,
      }),
    },
  },
  "Hmm#pageBytes": { args: { page: page(noFrame, freePage), body: callback(() => 0) } },
  "Hmm#pageDevmem": { args: { page: page(noFrame) } },
  "Hmm#isDevicePage": { args: { page: page() } },
};
