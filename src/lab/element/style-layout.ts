/** How the parts stand around the tables, in wide and narrow places. */
export const LAYOUT = `
.stage {
  display: grid;
  grid-template-columns: minmax(0, 1fr);
  gap: 16px 24px;
  align-items: start;
}
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
.step.cpu {
  border-left-color: var(--cpu);
}
.step.device1 {
  border-left-color: var(--device1);
}
.step.device2 {
  border-left-color: var(--device2);
}
.step .overline {
  display: flex;
  flex-wrap: wrap;
  gap: 4px 10px;
  align-items: center;
  font-size: 13px;
  color: var(--dim);
}
.step .count {
  margin-left: auto;
  font-variant-numeric: tabular-nums;
}
.step h2 code {
  display: inline-block;
  font-size: 13px;
  font-weight: 400;
  color: var(--dim);
  letter-spacing: 0;
}
.badge {
  font-size: 12px;
  padding: 1px 8px;
  border-radius: 10px;
  border: 1px solid currentColor;
}
.badge.cpu {
  color: var(--cpu);
}
.badge.device1 {
  color: var(--device1);
}
.badge.device2 {
  color: var(--device2);
}
.step .detail {
  font-weight: 600;
}
.step .says,
.step .keeps,
.step .otherwise {
  max-width: 68ch;
}
.step cite {
  display: block;
  margin-top: 4px;
  font-size: 13px;
  color: var(--dim);
}
.step cite q {
  font-style: italic;
}
.step .keeps,
.step .otherwise {
  padding-left: 12px;
  border-left: 3px solid var(--good);
}
.step .otherwise {
  border-left-color: var(--bad);
}
.step .keeps b {
  color: var(--good);
}
.step .changed {
  font-size: 13px;
  color: var(--dim);
}

.world-view {
  display: grid;
  gap: 14px;
  min-width: 0;
}
.memory-view,
.doing {
  display: grid;
  gap: 14px;
  min-width: 0;
  align-content: start;
}
.controls,
.race,
.frames,
.facts,
.migration {
  display: grid;
  gap: 8px;
  min-width: 0;
}
.race {
  padding: 14px 16px;
  background: var(--panel);
  border-radius: 10px;
  border: 1px solid var(--line);
}
.race ul {
  display: grid;
  gap: 8px;
}
.race li {
  display: flex;
  gap: 10px;
  align-items: center;
}
.race li button {
  flex: none;
}
.race li.device1 button {
  background: var(--device1);
  border-color: var(--device1);
}
.race li.device2 button {
  background: var(--device2);
  border-color: var(--device2);
}
.race .bug {
  display: flex;
  flex-wrap: wrap;
  gap: 8px;
  align-items: center;
  font-weight: 600;
}
.race .hint {
  font-size: 13px;
  color: var(--dim);
}
.selection {
  display: flex;
  flex-wrap: wrap;
  gap: 8px 12px;
  align-items: center;
}
.selection label {
  display: flex;
  gap: 6px;
  align-items: center;
  font-size: 14px;
}
.check {
  display: flex;
  gap: 8px;
  align-items: center;
  font-size: 14px;
}
.more summary {
  font-size: 13px;
  color: var(--dim);
}
.more[open] summary {
  margin-bottom: 6px;
}

@container (min-width: 900px) {
  .stage {
    grid-template: "step world" auto "memory world" auto "memory doing" 1fr / minmax(0, 1fr) minmax(
        0,
        1fr
      );
  }
  .step {
    grid-area: step;
  }
  .world-view {
    grid-area: world;
  }
  .memory-view {
    grid-area: memory;
  }
  .doing {
    grid-area: doing;
  }
}
@container (max-width: 520px) {
  .step {
    padding: 12px 14px;
    min-height: 0;
  }
  .transport input {
    flex-basis: 100%;
  }
  .step .count {
    margin-left: 0;
  }
  .rows table {
    font-size: 12px;
  }
  .rows th,
  .rows td {
    padding-left: 3px;
    padding-right: 3px;
  }
  .rows .kind {
    padding: 0 5px;
  }
  .chip {
    min-width: 28px;
    padding: 0 3px;
  }
}
@media (prefers-reduced-motion: no-preference) {
  .new {
    animation: changed 700ms ease-out;
  }
  .tick {
    transition: background-color 120ms;
  }
  @keyframes changed {
    from {
      background-color: var(--new-edge);
    }
  }
}
@media (forced-colors: active) {
  .new {
    outline: 2px solid Highlight;
  }
}
`;
