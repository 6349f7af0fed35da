/** The operations on pins: short ones of two kinds, and one for long. */
import { EFAULT, EINVAL, type Pin, type PinOptions } from "../../src/index.ts";
import { num, page, retOf, type Arguments, type Perform } from "./arguments.ts";
import { encodePage } from "./codec.ts";
import { frameBytes } from "./inspect.ts";
import type { Process } from "./process.ts";
import type { Answer } from "./records.ts";

function pin(process: Process, args: Arguments): Answer {
  let pinned = 0;
  const ret = retOf(() => {
    const pages = process.mm.pin(page(args, 0), num(args, 1));
    process.pins.push(pages);
    pinned = pages.npages;
  });
  return { ret: ret === 0 ? pinned : ret };
}

function unpin(process: Process): Answer {
  let ret = 0;
  for (const pages of process.pins) {
    ret += pages.npages;
    pages.close();
  }
  process.pins = [];
  return { ret };
}

/** Pins the pages that the arguments name. Returns how many, or a negative errno with none pinned. */
function pinned(process: Process, args: Arguments, options: PinOptions, keep: (pin: Pin) => void): number {
  let npages = 0;
  const ret = retOf(() => {
    const pages = process.mm.pin(page(args, 0), num(args, 1), { ...options, write: args[2] === "w" });
    npages = pages.npages;
    keep(pages);
  });
  return ret === 0 ? npages : ret;
}

/** Pins for long all of n pages, or none. One set at a time. */
function longPin(process: Process, args: Arguments): Answer {
  if (process.longPin !== undefined) return { ret: -EINVAL };
  const n = pinned(process, args, { longTerm: true }, (pin) => (process.longPin = pin));
  if (n === num(args, 1)) return { ret: 0 };
  longUnpin(process);
  return { ret: n < 0 ? n : -EFAULT };
}

function longUnpin(process: Process): Answer {
  process.longPin?.close();
  process.longPin = undefined;
  return { ret: 0 };
}

/** Reads the pinned pages themselves, wherever the mapping leads by now. */
function longRead({ mm, longPin: pin }: Process, args: Arguments): Answer {
  if (pin === undefined) return { ret: -EINVAL };
  const pages = [...pin.pages].slice(0, num(args, 0));
  return { ret: 0, data: pages.map((pfn) => encodePage(frameBytes(mm.hmm, pfn))) };
}

/** Pins pages and unpins them at once. */
function briefPin(process: Process, args: Arguments): Answer {
  // The recorder answers with all of them if it could pin any.
  return { ret: pinned(process, args, {}, (pin) => pin.close()) > 0 ? num(args, 1) : 0 };
}

export const PIN_OPERATIONS: readonly [name: string, perform: Perform][] = [
  ["pin", pin],
  ["unpin", unpin],
  ["lpin", longPin],
  ["lunpin", longUnpin],
  ["lread", longRead],
  ["gpin", briefPin],
];
