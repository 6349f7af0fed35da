/** The parts above the stage: header, tour, timeline. */
export const HEAD = `
.lab {
  display: grid;
  grid-template-columns: minmax(0, 1fr);
  gap: 14px;
  position: relative;
}
header {
  display: flex;
  flex-wrap: wrap;
  gap: 8px 16px;
  align-items: center;
}
header .scenario {
  display: flex;
  gap: 8px;
  align-items: center;
  font-weight: 600;
  min-width: 0;
}
header select {
  max-width: 100%;
  min-width: 0;
}
header .world form {
  display: flex;
  flex-wrap: wrap;
  gap: 8px 14px;
  align-items: center;
  padding: 8px 0;
}
header .world label {
  display: flex;
  gap: 6px;
  align-items: center;
  font-size: 14px;
}
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
.copied textarea {
  width: 100%;
  font:
    12px/1.4 ui-monospace,
    Menlo,
    Consolas,
    monospace;
}
.intro {
  color: var(--dim);
  max-width: 78ch;
}
.tour {
  display: grid;
  gap: 8px;
  padding: 14px 18px;
  background: var(--panel);
  border-left: 4px solid var(--accent);
  border-radius: 0 8px 8px 0;
}
.tour p {
  max-width: 76ch;
  font-size: 16px;
}
.tour span {
  color: var(--dim);
}

.timeline {
  display: grid;
  gap: 8px;
}
.transport {
  display: flex;
  flex-wrap: wrap;
  gap: 6px;
  align-items: center;
}
.transport input {
  flex: 1 1 180px;
  min-width: 0;
  accent-color: var(--accent);
  padding: 0;
  border: 0;
  background: none;
}
.strip {
  display: flex;
  gap: 3px;
  overflow-x: auto;
  padding: 2px 2px 8px;
  scrollbar-width: thin;
}
.group {
  flex: 0 0 auto;
  display: grid;
  gap: 4px;
  padding: 5px 8px 7px;
  background: var(--panel);
  border-radius: 6px;
  border-top: 3px solid var(--line);
}
.group.cpu {
  border-top-color: var(--cpu);
}
.group.device1 {
  border-top-color: var(--device1);
}
.group.device2 {
  border-top-color: var(--device2);
}
.group .name {
  font-size: 12px;
  line-height: 1.3;
  color: var(--dim);
  white-space: nowrap;
}
.ticks {
  display: flex;
  gap: 4px;
  align-items: center;
  height: 20px;
}
.tick {
  width: 14px;
  height: 14px;
  border-radius: 50%;
  border: 2px solid var(--edge);
  background: var(--back);
  cursor: pointer;
  flex: none;
}
.tick.inside {
  width: 10px;
  height: 10px;
  border-width: 2px;
}
.tick.past {
  background: currentColor;
  border-color: currentColor;
}
.tick.cpu {
  color: var(--cpu);
  border-color: var(--cpu);
}
.tick.device1 {
  color: var(--device1);
  border-color: var(--device1);
}
.tick.device2 {
  color: var(--device2);
  border-color: var(--device2);
}
.tick.world {
  color: var(--dim);
}
.tick.wrong {
  border-radius: 2px;
  color: var(--bad);
  border-color: var(--bad);
  transform: rotate(45deg);
}
.tick.now {
  background: currentColor;
  outline: 2px solid var(--text);
  outline-offset: 2px;
}
`;
