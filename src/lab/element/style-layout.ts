/** How the parts stand: header, timeline, step, and what is around the tables. */
export const LAYOUT = `
.lab { display: grid; grid-template-columns: minmax(0, 1fr); gap: 14px; position: relative; }
header { display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: center; }
header .scenario { display: flex; gap: 8px; align-items: center; font-weight: 600; min-width: 0; }
header select { max-width: 100%; min-width: 0; }
header .world form { display: flex; flex-wrap: wrap; gap: 8px 14px; align-items: center; padding: 8px 0; }
header .world label { display: flex; gap: 6px; align-items: center; font-size: 14px; }
.copied {
  position: absolute;
  inset: 44px 0 auto 0;
  z-index: 5;
  display: grid;
  gap: 8px;
  padding: 12px;
  background: var(--panel);
  border: 1px solid var(--edge);
  border-radius: 8px;
}
.copied textarea { width: 100%; font: 12px/1.4 ui-monospace, Menlo, Consolas, monospace; }
.intro { color: var(--dim); max-width: 78ch; }
.tour {
  display: grid;
  gap: 8px;
  padding: 14px 18px;
  background: var(--panel);
  border-left: 4px solid var(--accent);
  border-radius: 0 8px 8px 0;
}
.tour p { max-width: 76ch; font-size: 16px; }
.tour span { color: var(--dim); }

.timeline { display: grid; gap: 8px; }
.transport { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; }
.transport input { flex: 1 1 180px; min-width: 0; accent-color: var(--accent); padding: 0; border: 0; background: none; }
.strip { display: flex; gap: 3px; overflow-x: auto; padding: 2px 2px 8px; scrollbar-width: thin; }
.group { flex: 0 0 auto; display: grid; gap: 4px; padding: 5px 8px 7px; background: var(--panel); border-radius: 6px; border-top: 3px solid var(--line); }
.group.cpu { border-top-color: var(--cpu); }
.group.device1 { border-top-color: var(--device1); }
.group.device2 { border-top-color: var(--device2); }
.group .name { font-size: 12px; line-height: 1.3; color: var(--dim); white-space: nowrap; }
.ticks { display: flex; gap: 4px; align-items: center; height: 20px; }
.tick { width: 14px; height: 14px; border-radius: 50%; border: 2px solid var(--edge); background: var(--back); cursor: pointer; flex: none; }
.tick.inside { width: 10px; height: 10px; border-width: 2px; }
.tick.past { background: currentColor; border-color: currentColor; }
.tick.cpu { color: var(--cpu); border-color: var(--cpu); }
.tick.device1 { color: var(--device1); border-color: var(--device1); }
.tick.device2 { color: var(--device2); border-color: var(--device2); }
.tick.world { color: var(--dim); }
.tick.wrong { border-radius: 2px; color: var(--bad); border-color: var(--bad); transform: rotate(45deg); }
.tick.now { background: currentColor; outline: 2px solid var(--text); outline-offset: 2px; }

.stage { display: grid; grid-template-columns: minmax(0, 1fr); gap: 16px 24px; align-items: start; }
.step {
  display: grid;
  gap: 8px;
  padding: 16px 18px;
  background: var(--panel);
  border-radius: 10px;
  border-left: 5px solid var(--edge);
  min-height: 250px;
  align-content: start;
}
.step.cpu { border-left-color: var(--cpu); }
.step.device1 { border-left-color: var(--device1); }
.step.device2 { border-left-color: var(--device2); }
.step .overline { display: flex; flex-wrap: wrap; gap: 4px 10px; align-items: center; font-size: 13px; color: var(--dim); }
.step .count { margin-left: auto; font-variant-numeric: tabular-nums; }
.step h2 code { display: inline-block; font-size: 13px; font-weight: 400; color: var(--dim); letter-spacing: 0; }
.badge { font-size: 12px; padding: 1px 8px; border-radius: 10px; border: 1px solid currentColor; }
.badge.cpu { color: var(--cpu); }
.badge.device1 { color: var(--device1); }
.badge.device2 { color: var(--device2); }
.step .detail { font-weight: 600; }
.step .says, .step .keeps { max-width: 68ch; }
.step .keeps { padding-left: 12px; border-left: 3px solid var(--good); }
.step .keeps b { color: var(--good); }
.step .changed { font-size: 13px; color: var(--dim); }

.world-view { display: grid; gap: 14px; min-width: 0; }
.memory-view, .doing { display: grid; gap: 14px; min-width: 0; align-content: start; }
.controls, .race, .frames, .facts, .migration { display: grid; gap: 8px; min-width: 0; }
.race { padding: 14px 16px; background: var(--panel); border-radius: 10px; border: 1px solid var(--line); }
.race ul { display: grid; gap: 8px; }
.race li { display: flex; gap: 10px; align-items: center; }
.race li button { flex: none; }
.race li.device1 button { background: var(--device1); border-color: var(--device1); }
.race li.device2 button { background: var(--device2); border-color: var(--device2); }
.race .bug { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; font-weight: 600; }
.race .hint { font-size: 13px; color: var(--dim); }
.selection { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; }
.selection label { display: flex; gap: 6px; align-items: center; font-size: 14px; }
.check { display: flex; gap: 8px; align-items: center; font-size: 14px; }
.more summary { font-size: 13px; color: var(--dim); }
.more[open] summary { margin-bottom: 6px; }

@container (min-width: 900px) {
  .stage {
    grid-template: "step world" auto "memory world" auto "memory doing" 1fr / minmax(0, 1fr) minmax(0, 1fr);
  }
  .step { grid-area: step; }
  .world-view { grid-area: world; }
  .memory-view { grid-area: memory; }
  .doing { grid-area: doing; }
}
@container (max-width: 520px) {
  .step { padding: 12px 14px; min-height: 0; }
  .transport input { flex-basis: 100%; }
  .step .count { margin-left: 0; }
  .rows table { font-size: 12px; }
  .rows th, .rows td { padding-left: 3px; padding-right: 3px; }
  .rows .kind { padding: 0 5px; }
  .chip { min-width: 28px; padding: 0 3px; }
}
@media (prefers-reduced-motion: no-preference) {
  .new { animation: changed 700ms ease-out; }
  .tick { transition: background-color 120ms; }
  @keyframes changed {
    from { background-color: var(--new-edge); }
  }
}
@media (forced-colors: active) {
  .new { outline: 2px solid Highlight; }
}
`;
