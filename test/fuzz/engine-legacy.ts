/** The engine's side of the calls of 2018 and of other calls that no record contains. */
import { hmmPfnValid, hmmPfnWritable, PAGE_SIZE, type Mm } from "../../src/index.ts";
import * as kinds from "../../assembly/uapi/event.ts";
import { encodeBytes } from "../golden/codec.ts";
import { num, page, retOf, signalOf, type Args, type Perform } from "./engine-args.ts";
import { moveInRam, type Legacy } from "./legacy.ts";
import type { Answer } from "./plan.ts";

/** FAULT_KIND_* by number, as hmm.stats names them. */
const FAULT_KINDS = new Map<number, string>([
  [kinds.FAULT_KIND_ZERO, "zero"],
  [kinds.FAULT_KIND_ANON, "anon"],
  [kinds.FAULT_KIND_COW, "cow"],
  [kinds.FAULT_KIND_REUSE, "reuse"],
  [kinds.FAULT_KIND_DEVICE, "device"],
  [kinds.FAULT_KIND_FILE, "file"],
  [kinds.FAULT_KIND_SWAP, "swap"],
  [kinds.FAULT_KIND_EXCLUSIVE, "exclusive"],
  [kinds.FAULT_KIND_SPURIOUS, "spurious"],
]);

/** An operation on the interface of 2018 of a device file: handle, page, pages, … */
function legacy(run: (legacy: Legacy, args: Args) => Answer): Perform {
  return ({ handles }, args) => run(handles.get(num(args, 0))!.legacy, args);
}

function translated(mm: Mm, start: number, n: number): Answer {
  using addresses = mm.hmm.addressArray(n);
  using words = mm.hmm.pfnArray(n);
  for (let i = 0; i < n; i++) addresses[i] = start + i * PAGE_SIZE;
  mm.translate(addresses, words);
  const byte = (word: number): number => (!hmmPfnValid(word) ? 0 : hmmPfnWritable(word) ? 2 : 1);
  return { words: encodeBytes(Array.from(words, byte)) };
}

const fault: Perform = ({ mm }, args) => {
  const before = mm.faults.total;
  let kind: string | undefined;
  const write = num(args, 1) === 1;
  const { signal } = signalOf(() => (kind = FAULT_KINDS.get(mm.fault(page(args, 0), { write }))));
  return { kind: signal === 0 ? kind : signal, flt: mm.faults.total - before };
};

export const LEGACY_OPERATIONS: readonly (readonly [string, Perform])[] = [
  ["mirror", legacy((one) => ({ ret: retOf(() => one.register()) }))],
  ["unmirror", legacy((one) => ({ ret: retOf(() => one.unregister()) }))],
  ["vlook", legacy((one, args) => one.look(page(args, 1), num(args, 2), num(args, 3), false))],
  ["vbeg", legacy((one, args) => one.look(page(args, 1), num(args, 2), num(args, 3), true))],
  ["vend", legacy((one) => one.done())],
  ["vmig", legacy((one, args) => one.migrate(page(args, 1), num(args, 2)))],
  ["mram", ({ mm }, args) => moveInRam(mm, page(args, 0), num(args, 1))],
  ["tr", ({ mm }, args) => translated(mm, page(args, 0), num(args, 1))],
  ["flt", fault],
];
