/** The steps of what a process does. Each is one system call, or the accesses of a loop. */
import {
  MADV_DONTNEED,
  MADV_HUGEPAGE,
  MADV_PAGEOUT,
  PAGE_SIZE,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from "../index.ts";
import { PROCESSES } from "./config.ts";
import { count, endOf, outcome, pageOf, startOf, type StepRun } from "./outcome.ts";
import type { Verb } from "./operation.ts";
import type { StepId } from "./texts.ts";

/** The first step of each operation of the CPU. */
export const CPU_FIRST = {
  r: "access",
  w: "access",
  fork: "fork",
  ro: "mprotect",
  rw: "mprotect",
  none: "mprotect",
  unmap: "munmap",
  discard: "discard",
  out: "pageout",
  huge: "hugepage",
  pin: "pin",
  unpin: "unpin",
} as const satisfies Partial<Record<Verb, StepId>>;

const access: StepRun = (w, { operation }) => {
  const { verb, first, last, process } = operation;
  const mm = w.process(process);
  const loop = `for (let i = ${first}; i <= ${last}; i++)`;
  if (verb === "r") {
    w.attempt = [`${loop} p${process}.load32(page(i));`];
    const values = [];
    for (let at = startOf(operation); at < endOf(operation); at += PAGE_SIZE) values.push(mm.load32(at));
    return outcome(null, `the CPU reads ${values.join(", ")}`, ...w.attempt);
  }
  // Each page gets a number of its own, so that one sees which page a frame holds.
  const value = w.data.value;
  w.data.value += last - first + 1;
  const sum = first === last ? `${value}` : `${value} + i - ${first}`;
  w.attempt = [`${loop} p${process}.store32(page(i), ${sum});`];
  const values = [];
  for (let page = first; page <= last; page++) values.push(value + page - first);
  values.forEach((each, i) => mm.store32(startOf(operation) + i * PAGE_SIZE, each));
  return outcome(null, `the CPU writes ${values.join(", ")}`, ...w.attempt);
};

const fork: StepRun = (w, { operation: { process } }) => {
  const mm = w.process(process);
  if (w.processes.length === PROCESSES) return outcome(null, `there are ${PROCESSES} processes already`);
  const number = w.processes.push(mm.fork());
  return outcome("mirror-child", `process ${number} is the child`, `const p${number} = p${process}.fork();`);
};

const mirrorChild: StepRun = (w) => {
  const number = w.processes.length;
  for (const driver of w.drivers) w.mirror(driver, number);
  const code = w.drivers.map((driver) => `device${driver.number}.mirror(p${number});`);
  return outcome(null, `${count(w.drivers.length, "device")} will hear of process ${number}`, ...code);
};

const PROTECTIONS = {
  ro: [PROT_READ, "PROT_READ"],
  rw: [PROT_READ | PROT_WRITE, "PROT_READ | PROT_WRITE"],
  none: [PROT_NONE, "PROT_NONE"],
} as const;

const mprotect: StepRun = (w, { operation }) => {
  const [prot, name] = PROTECTIONS[operation.verb as keyof typeof PROTECTIONS];
  const { first, process } = operation;
  const length = endOf(operation) - startOf(operation);
  w.attempt = [`p${process}.mprotect(page(${first}), ${length}, ${name});`];
  w.process(process).mprotect(startOf(operation), length, prot);
  return outcome(null, name, ...w.attempt);
};

const munmap: StepRun = (w, { operation }) => {
  const length = endOf(operation) - startOf(operation);
  w.process(operation.process).munmap(startOf(operation), length);
  return outcome(null, "", `p${operation.process}.munmap(page(${operation.first}), ${length});`);
};

/** A step that gives advice about the operation's range. */
function advise(
  advice: typeof MADV_DONTNEED | typeof MADV_HUGEPAGE | typeof MADV_PAGEOUT,
  name: string,
): StepRun {
  return (w, { operation }) => {
    const length = endOf(operation) - startOf(operation);
    w.attempt = [`p${operation.process}.madvise(page(${operation.first}), ${length}, ${name});`];
    w.process(operation.process).madvise(startOf(operation), length, advice);
    return outcome(null, "", ...w.attempt);
  };
}

const pin: StepRun = (w, { operation }) => {
  const { first, process } = operation;
  const npages = operation.last - first + 1;
  w.attempt = [`p${process}.pin(page(${first}), ${npages}, { write: true });`];
  const { pages } = w.process(process).pin(startOf(operation), npages, { write: true });
  pages.forEach((frame, i) => w.data.pins.push({ process, page: first + i, frame }));
  return outcome(null, count(pages.length, "reference"), ...w.attempt);
};

const unpin: StepRun = (w, { operation }) => {
  const [start, end] = [pageOf(startOf(operation)), pageOf(endOf(operation))];
  const drop = w.data.pins.filter(
    ({ process, page }) => process === operation.process && page >= start && page < end,
  );
  for (const { frame } of drop) w.hmm.pagePut(frame);
  w.data.pins = w.data.pins.filter((each) => !drop.includes(each));
  return outcome(null, count(drop.length, "reference"), ...drop.map(({ frame }) => `hmm.pagePut(${frame});`));
};

/** What the CPU's steps do. */
export const CPU_STEPS = {
  access,
  fork,
  "mirror-child": mirrorChild,
  mprotect,
  munmap,
  discard: advise(MADV_DONTNEED, "MADV_DONTNEED"),
  pageout: advise(MADV_PAGEOUT, "MADV_PAGEOUT"),
  hugepage: advise(MADV_HUGEPAGE, "MADV_HUGEPAGE"),
  pin,
  unpin,
} as const satisfies Partial<Record<StepId, StepRun>>;
