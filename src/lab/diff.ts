import type { LabState } from "./state.ts";

/** Everything that a state shows, by a key that names the place where it is shown. */
function places(state: LabState): Map<string, string> {
  const found = new Map<string, string>();
  for (const { number, entries, vmas, levels, rss, seq, windows, sem } of state.processes) {
    for (const { page, text, frame } of entries) found.set(`cpu.${number}.${page}`, `${text} ${frame}`);
    for (const { pages, text } of vmas) found.set(`vma.${number}.${pages}`, text);
    for (const { level, address } of levels) found.set(`level.${number}.${level}`, address);
    found.set(`rss.${number}`, `${rss.anon}`);
    found.set(`swap.${number}`, `${rss.swap}`);
    found.set(`seq.${number}`, `${seq} ${windows}`);
    found.set(`sem.${number}`, sem);
  }
  for (const { number, tables, lock } of state.devices) {
    for (const { process, entries } of tables)
      for (const { page, text } of entries) found.set(`device.${number}.${process}.${page}`, text);
    found.set(`lock.${number}`, lock);
  }
  for (const { frame, refs, maps, flags, value } of state.frames)
    found.set(`frame.${frame}`, `${refs} ${maps} ${flags} ${value}`);
  for (const { id, slots } of state.migrations)
    slots.forEach(({ src, dst, reason }, i) => found.set(`slot.${id}.${i}`, `${src} ${dst} ${reason}`));
  found.set("memcg", `${state.memcg.usage}`);
  return found;
}

/**
 * Returns the places where two states differ: `cpu.PROCESS.PAGE`, `device.DEVICE.PROCESS.PAGE`,
 * `frame.FRAME`, `slot.MIGRATION.SLOT`, `vma.PROCESS.PAGES`, `level.PROCESS.LEVEL`, `rss.PROCESS`,
 * `swap.PROCESS`, `seq.PROCESS`, `sem.PROCESS`, `lock.DEVICE` and `memcg`.
 */
export function changes(before: LabState, after: LabState): string[] {
  const old = places(before);
  const now = places(after);
  return [...new Set([...old.keys(), ...now.keys()])].filter((key) => old.get(key) !== now.get(key));
}
