/** Steps of processes: accesses and system calls. */
import * as assert from "uvu/assert";
import {
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MADV_PAGEOUT,
  MADV_WILLNEED,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_READ,
} from "../../../../src/index.ts";
import { PAGES } from "../../../util/huge.ts";
import type { Operation } from "./step.ts";
import { at, mapNew, RW, SPAN, wordAt } from "./world.ts";

const ADVICE = [MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, MADV_DONTNEED];

export const write: Operation = (step) => {
  const { world, random } = step;
  const process = step.process();
  const [page, some] = step.range(process);
  const n = step.chance(4) ? some : Math.min(some, 3);
  step.say("write", process, page, n);
  for (let i = page; i < page + n; i++) {
    const word = random.next();
    if (world.attempt(() => process.mm.store32(wordAt(i), word), process.allows(i, 1, RW)))
      process.words[i] = word;
  }
};

export const read: Operation = (step) => {
  const process = step.process();
  const [page, some] = step.range(process);
  const n = step.chance(4) ? some : Math.min(some, 3);
  step.say("read", process, page, n);
  for (let i = page; i < page + n; i++) {
    step.world.attempt(
      () => assert.is(process.mm.load32(wordAt(i)), process.words[i], `page ${i}`),
      process.allows(i, 1),
    );
  }
};

export const mmap: Operation = (step) => {
  const process = step.writable();
  if (process === undefined) return;
  const [page, n] = step.chance(4) ? step.range() : [step.random.below(4) * PAGES, PAGES];
  const prot = step.chance(6) ? PROT_READ : RW;
  const huge = !step.chance(4);
  step.say(`mmap ${prot}${huge ? ", huge" : ""}`, process, page, n);
  mapNew(process, page, n, prot, huge);
};

export const munmap: Operation = (step) => {
  const process = step.writable();
  if (process === undefined) return;
  const [page, n] = step.range(process);
  step.say("munmap", process, page, n);
  process.mm.munmap(at(page), n * 4096);
  process.remap(page, n);
};

export const mprotect: Operation = (step) => {
  const process = step.writable();
  if (process === undefined) return;
  const [page, n] = step.range(process);
  const prot = step.random.pick([0, PROT_READ, RW, RW, RW])!;
  step.say(`mprotect ${prot}`, process, page, n);
  const expected = process.mapped(page, n);
  step.world.attempt(() => process.mm.mprotect(at(page), n * 4096, prot), expected, ["ENOMEM"]);
  for (let i = page; i < page + n && process.mapped(i); i++) process.prots[i] = prot;
};

export const madvise: Operation = (step) => {
  const advice = step.random.pick(ADVICE)!;
  const process = step.writable();
  if (process === undefined) return;
  const [page, n] = step.range(process);
  step.say(`madvise ${advice}`, process, page, n);
  const expected = process.mapped(page, n);
  step.world.attempt(() => process.mm.madvise(at(page), n * 4096, advice), expected, ["ENOMEM"]);
  if (advice === MADV_DONTNEED) process.drop(page, n);
};

export const collapse: Operation = (step) => {
  const process = step.process();
  const [page, n] = step.range(process);
  step.say("collapse", process, page, n);
  const codes = ["EINVAL", "EAGAIN", "ENOMEM", "EBUSY"];
  step.world.attempt(() => process.mm.madvise(at(page), n * 4096, MADV_COLLAPSE), "maybe", codes);
};

export const mremap: Operation = (step) => {
  const process = step.writable();
  if (process === undefined) return;
  const [from, n] = step.range(process);
  const to = step.chance(2)
    ? (from + PAGES * (1 + step.random.below(3))) % SPAN
    : step.random.below(SPAN - n + 1);
  if (to + n > SPAN || (from < to + n && to < from + n)) return;
  const vma = process.mm.findVma(at(from));
  if (vma === null || vma.end < at(from + n)) return;
  const keep = step.chance(4);
  step.say(`mremap to ${to}${keep ? ", keeping" : ""}`, process, from, n);
  const flags = MREMAP_MAYMOVE | MREMAP_FIXED | (keep ? MREMAP_DONTUNMAP : 0);
  process.mm.mremap(at(from), n * 4096, n * 4096, flags, at(to));
  process.move(from, to, n, keep);
};

export const fork: Operation = (step) => {
  const process = step.writable();
  if (process === undefined || step.world.processes.length === 3) return;
  step.say("fork", process, 0, SPAN);
  const { world } = step;
  world.attempt(() => void world.processes.push(world.forked(process)), true);
};

export const close: Operation = (step) => {
  const { world } = step;
  const process = step.process();
  if (world.processes.length === 1 || world.open.some((open) => open.process === process)) return;
  step.say("close", process, 0, SPAN);
  process.mm.close();
  world.processes = world.processes.filter((other) => other !== process);
};
