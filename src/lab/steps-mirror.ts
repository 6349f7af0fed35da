/** The steps with which a driver mirrors pages, and with which its device uses them. */
import {
  EBUSY,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_WRITE,
  HmmError,
  hmmPfn,
  hmmPfnWritable,
  hmmRangeFault,
  makeDeviceExclusive,
  PAGE_SIZE,
} from "../index.ts";
import { count, endOf, outcome, pageOf, pagesText, startOf, type StepRun } from "./outcome.ts";
import type { Task } from "./task.ts";
import type { StepId } from "./texts.ts";

/** Whether the task's device wants to write. */
function writes({ operation: { verb } }: Task): boolean {
  return verb === "dw" || verb === "mw";
}

/** Whether the task's device uses the pages itself, once they are mirrored. */
function uses({ operation: { verb } }: Task): boolean {
  return verb === "dr" || verb === "dw";
}

/** A device's load or store through its table, up to the first page that it has to fault in. */
const deviceAccess: StepRun = (w, t) => {
  const { first, process } = t.operation;
  const driver = w.driver(t);
  const { table } = driver.mirrorOf(process);
  const end = endOf(t.operation);
  if (writes(t) && t.value === 0) t.value = w.data.value++;
  const word = new Uint8Array(Uint32Array.of(t.value).buffer);
  const values: number[] = [];
  const from = t.at;
  for (; t.at < end; t.at += PAGE_SIZE) {
    if ((writes(t) ? table.write(t.at, word) : table.read(t.at, word)) < 4) break;
    values.push(new Uint32Array(word.buffer)[0]);
  }
  const call = writes(t) ? `write(page(i), u32(${t.value}))` : "read(page(i), u32(0))";
  const name = `device${driver.number}.table(p${process})`;
  const code = `for (let i = ${pageOf(from)}; i < ${pageOf(t.at)}; i++) ${name}.${call};`;
  const done =
    values.length === 0 ? "" : `the device ${writes(t) ? `writes ${t.value}` : `reads ${values.join(", ")}`}`;
  if (t.at === end) return outcome(null, done || `page ${first}`, code);
  const fault = `page ${pageOf(t.at)}: the device faults`;
  return outcome("read-begin", done ? `${done}; ${fault}` : fault, ...(t.at > from ? [code] : []));
};

const readBegin: StepRun = (w, t) => {
  const { number } = w.driver(t);
  const { process } = t.operation;
  t.seq = w.driver(t).mirrorOf(process).notifier.readBegin();
  return outcome(
    "range-fault",
    `the last change announced has number ${t.seq}`,
    `let seq${t.id} = device${number}.notifier(p${process}).readBegin();`,
  );
};

const rangeFault: StepRun = (w, t, agent) => {
  const driver = w.driver(t);
  const { process } = t.operation;
  const mm = w.process(process);
  const end = endOf(t.operation);
  const pfns = new Uint32Array((end - t.at) / PAGE_SIZE);
  const flags = writes(t) ? HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE : HMM_PFN_REQ_FAULT;
  const { notifier } = driver.mirrorOf(process);
  const name = `device${driver.number}`;
  const code = [
    `let pfns${t.id} = new Uint32Array(${pfns.length});`,
    `${name}.rangeFault(p${process}, seq${t.id}, page(${pageOf(t.at)}), pfns${t.id}, ${writes(t)});`,
  ];
  w.attempt = code;
  const sem = mm.mmapSem.read(agent);
  let ret: number;
  try {
    const args = { start: t.at, end, pfns, defaultFlags: flags >>> 0, owner: driver.owner };
    ret = hmmRangeFault({ notifier, notifierSeq: t.seq, ...args });
  } finally {
    sem.close();
  }
  t.pfns = [...pfns];
  if (ret === -EBUSY) return outcome("read-begin", "the range has changed since: start again", ...code);
  if (ret !== 0) throw new HmmError(-ret, "hmm_range_fault", `${pagesText(t.at, end)} cannot be mirrored`);
  if (writes(t) && t.pfns.some((word) => !hmmPfnWritable(word)))
    return outcome("upgrade", "a page came back read-only", ...code);
  const detail = `an answer for ${count(t.pfns.length, "page")}`;
  return outcome(w.config.bug === "no-lock" ? "retry" : "lock", detail, ...code);
};

const upgrade: StepRun = (w, t) => {
  const { process } = t.operation;
  const at = t.at + PAGE_SIZE * t.pfns.findIndex((word) => !hmmPfnWritable(word));
  w.process(process).fault(at, { write: true });
  return outcome(
    "read-begin",
    `page ${pageOf(at)}`,
    `p${process}.fault(page(${pageOf(at)}), { write: true });`,
  );
};

const lock: StepRun = (w, t, agent) => {
  w.take(agent, t, "lock");
  const next = w.config.bug === "no-retry" ? "map" : "retry";
  return outcome(next, "", `let lock${t.id} = device${w.driver(t).number}.lock.acquire();`);
};

const retry: StepRun = (w, t, agent) => {
  const { process } = t.operation;
  const driver = w.driver(t);
  const changed = driver.mirrorOf(process).notifier.readRetry(t.seq);
  const held = t.holds.includes("lock");
  const question = `device${driver.number}.notifier(p${process}).readRetry(seq${t.id});`;
  if (!changed) return outcome("map", "no: the answer is still true", question);
  w.release(agent, t);
  const code = held ? [question, `lock${t.id}.close();`] : [question];
  return outcome("read-begin", "yes: start again", ...code);
};

const map: StepRun = (w, t, agent) => {
  const { process } = t.operation;
  const driver = w.driver(t);
  const made = driver.mirrorOf(process).table.map(t.at, Uint32Array.from(t.pfns));
  const held = t.holds.includes("lock");
  w.release(agent, t);
  const code = `device${driver.number}.table(p${process}).map(page(${pageOf(t.at)}), pfns${t.id});`;
  const next = uses(t) ? "device-access" : null;
  return outcome(
    next,
    count(made, "entry").replace(/ys$/, "ies"),
    code,
    ...(held ? [`lock${t.id}.close();`] : []),
  );
};

const exclusive: StepRun = (w, t, agent) => {
  const { first, last, process } = t.operation;
  const driver = w.driver(t);
  const mm = w.process(process);
  const start = startOf(t.operation);
  const code = `device${driver.number}.exclusive(p${process}, page(${first}), ${last - first + 1});`;
  w.attempt = [code];
  const sem = mm.mmapSem.read(agent);
  try {
    const lent = makeDeviceExclusive(mm, start, last - first + 1, driver.owner);
    try {
      const words = Uint32Array.from(lent.pages, (page) => (page === 0 ? 0 : hmmPfn(page, HMM_PFN_WRITE)));
      using _lock = driver.lock.acquire();
      driver.mirrorOf(process).table.map(start, words);
      return outcome(null, `${lent.lent} of ${count(last - first + 1, "page")}`, code);
    } finally {
      lent.close();
    }
  } finally {
    sem.close();
  }
};

/** What the steps of mirroring do. */
export const MIRROR_STEPS = {
  "device-access": deviceAccess,
  "read-begin": readBegin,
  "range-fault": rangeFault,
  upgrade,
  lock,
  retry,
  map,
  exclusive,
} as const satisfies Partial<Record<StepId, StepRun>>;
