/** The steps of a migration, to a device or from it. The protocol's own calls are the steps. */
import {
  MIGRATE_PFN_MIGRATE,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateDeviceRange,
  migratePfn,
  migrateVmaSetup,
  PAGE_SIZE,
  PTE_KIND_MASK,
  PTE_KIND_MIGRATION,
  REASON_FREE_PAGE,
  type Migration,
  type TableDescription,
} from "../index.ts";
import { count, endOf, outcome, pageOf, pagesText, type StepRun } from "./outcome.ts";
import type { Task } from "./task.ts";
import type { StepId } from "./texts.ts";
import type { World } from "./world.ts";

/** The task's open migration. */
function migrationOf(w: World, { migration }: Task): Migration {
  return w.hmm.migrations().find(({ id }) => id === migration)!;
}

/** Says how many pages stay where they are. */
function stays(pages: number): string {
  return `${pages} ${pages === 1 ? "stays" : "stay"}`;
}

const sem: StepRun = (w, t, agent) => {
  w.take(agent, t, "sem");
  return outcome("setup", "", `let sem${t.id} = p${t.operation.process}.mmapSem.read();`);
};

const setup: StepRun = (w, t) => {
  const { process, verb } = t.operation;
  const { owner, number } = w.driver(t);
  const vma = w.process(process).findVma(t.at);
  const end = Math.min(endOf(t.operation), vma?.end ?? Infinity);
  const select = verb === "to" ? MIGRATE_VMA_SELECT_SYSTEM : MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
  const m = migrateVmaSetup({ vma, start: t.at, end, owner, select });
  t.migration = m.id;
  const name = verb === "to" ? "MIGRATE_VMA_SELECT_SYSTEM" : "MIGRATE_VMA_SELECT_DEVICE_PRIVATE";
  const [from, to] = [`page(${pageOf(t.at)})`, `page(${pageOf(end)})`];
  const range = `vma: p${process}.findVma(${from}), start: ${from}, end: ${to}`;
  const code = `let m${t.id} = migrateVmaSetup({ ${range}, owner: device${number}.owner, select: ${name} });`;
  const stay = m.result.stayed.filter(({ reason }) => reason !== 0).length;
  const staying = stay > 0 ? `, ${stays(stay)}` : "";
  const detail = `${pagesText(t.at, end)}: ${count(m.cpages, "page")} can move${staying}`;
  return outcome("alloc", detail, code);
};

const evictSetup: StepRun = (w, t) => {
  const { devmem, number } = w.driver(t);
  const m = migrateDeviceRange(devmem, devmem.pfnFirst, w.config.frames);
  t.migration = m.id;
  const memory = `device${number}.devmem`;
  const code = `let m${t.id} = migrateDeviceRange(${memory}, ${memory}.pfnFirst, ${w.config.frames});`;
  return outcome("alloc", `${count(m.cpages, "page")} can move`, code);
};

/** Allocates on the device as long as its driver has frames, or in system memory. */
const alloc: StepRun = (w, t) => {
  const { src, dst } = migrationOf(w, t);
  const driver = w.driver(t);
  if (t.operation.verb !== "to") {
    const made = w.hmm.allocPages(src, dst);
    return outcome(
      "copy",
      `${count(made, "frame")} of system memory`,
      `hmm.allocPages(m${t.id}.src, m${t.id}.dst);`,
    );
  }
  let made = 0;
  for (let i = 0; i < src.length; i++) {
    if ((src[i] & MIGRATE_PFN_MIGRATE) === 0 || driver.devmem.usedPages >= w.config.frames) continue;
    dst[i] = migratePfn(driver.devmem.allocPage());
    made++;
  }
  const wanted = src.filter((word) => (word & MIGRATE_PFN_MIGRATE) !== 0).length;
  const full = made < wanted ? `: the device is full, ${stays(wanted - made)}` : "";
  const code = `device${driver.number}.allocPages(m${t.id}.src, m${t.id}.dst);`;
  return outcome("copy", `${count(made, "frame")} of device ${driver.number}${full}`, code);
};

const copy: StepRun = (w, t) => {
  const { src, dst } = migrationOf(w, t);
  const copied = w.hmm.copyPages(src, dst);
  return outcome("pages", `${count(copied, "page")} copied`, `hmm.copyPages(m${t.id}.src, m${t.id}.dst);`);
};

const pages: StepRun = (w, t) => {
  const moved = migrationOf(w, t).pages();
  const next = t.operation.verb === "evict" ? "finalize" : "map-migrated";
  return outcome(next, `${count(moved, "page")} moved`, `m${t.id}.pages();`);
};

const mapMigrated: StepRun = (w, t, agent) => {
  const { process } = t.operation;
  const driver = w.driver(t);
  const locked = w.config.bug !== "no-lock";
  if (locked) w.take(agent, t, "lock");
  const made = driver.mirrorOf(process).table.mapMigrated(migrationOf(w, t));
  const code = `device${driver.number}.table(p${process}).mapMigrated(m${t.id});`;
  const take = locked ? [`let lock${t.id} = device${driver.number}.lock.acquire();`] : [];
  return outcome("finalize", made === 1 ? "1 entry" : `${made} entries`, ...take, code);
};

/** How many pages moved and were given up before the end: their migration entries are gone. */
function givenUp({ mm, start, end, src, dst }: Migration): number {
  if (mm === null) return 0;
  const words = mm.describe({ start, end });
  let table = words.root as TableDescription | undefined;
  while (table !== undefined && table.level > 1) table = table.tables[0];
  const marks = (table?.entries ?? []).filter(({ flags }) => (flags & PTE_KIND_MASK) === PTE_KIND_MIGRATION);
  const marked = new Set(marks.map(({ address }) => address));
  return [...src].filter((word, i) => {
    const moved = (word & MIGRATE_PFN_MIGRATE) !== 0 && dst[i] !== 0;
    return moved && !marked.has(start + i * PAGE_SIZE);
  }).length;
}

const finalize: StepRun = (w, t, agent) => {
  const m = migrationOf(w, t);
  const gone = givenUp(m);
  const { end } = m;
  m.finalize();
  t.migration = 0;
  const { moved } = m.result;
  const stayed = m.result.stayed.filter(({ reason }) => reason !== REASON_FREE_PAGE);
  const holds = [...t.holds];
  const reasons = [...new Set(stayed.map(({ text }) => text))].join("; ");
  const staying = stayed.length > 0 ? `, ${stayed.length} stayed: ${reasons}` : "";
  const lost = gone > 0 ? `, ${gone} given up by the program meanwhile` : "";
  const detail = `${count(moved - gone, "page")} moved${lost}${staying}`;
  const more = t.operation.verb !== "evict" && end < endOf(t.operation);
  const drop = holds.reverse().map((hold) => `${hold}${t.id}.close();`);
  w.release(agent, t);
  t.at = end;
  return outcome(more ? "sem" : null, detail, `m${t.id}.finalize();`, ...drop);
};

/** What the steps of a migration do. */
export const MIGRATE_STEPS = {
  sem,
  setup,
  "evict-setup": evictSetup,
  alloc,
  copy,
  pages,
  "map-migrated": mapMigrated,
  finalize,
} as const satisfies Partial<Record<StepId, StepRun>>;
