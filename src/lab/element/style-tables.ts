/** Page tables, frames, and the words of migrations. */
export const TABLES = `
table {
  border-collapse: collapse;
  width: 100%;
  font-size: 13px;
  line-height: 1.3;
}
th,
td {
  text-align: left;
  padding: 1px 6px;
  height: 25px;
  white-space: nowrap;
}
thead th {
  font-weight: 600;
  color: var(--dim);
  font-size: 12px;
  border-bottom: 1px solid var(--line);
  background: var(--back);
}
tbody th {
  font-weight: 400;
}
.tables {
  display: grid;
  gap: 6px;
  min-width: 0;
}
th.of {
  color: var(--text);
  font-size: 13px;
  border-top: 3px solid var(--cpu);
}
th.of.device1 {
  border-top-color: var(--device1);
}
th.of.device2 {
  border-top-color: var(--device2);
}
.side {
  border-left: 1px solid var(--line);
}
.rows {
  max-height: 520px;
  overflow: auto;
  border: 1px solid var(--line);
  border-radius: 8px;
  scrollbar-width: thin;
}
.several .rows {
  max-height: 300px;
}
.rows thead {
  position: sticky;
  top: 0;
  z-index: 1;
  background: var(--back);
}
.rows tbody tr {
  height: 28px;
}
.rows tbody tr + tr > * {
  border-top: 1px solid color-mix(in srgb, var(--line) 55%, transparent);
}
.rows tbody th {
  width: 40px;
  padding: 0 3px;
  font-variant-numeric: tabular-nums;
  color: var(--dim);
}
.rows tbody th button {
  min-height: 24px;
  min-width: 32px;
  padding: 0 6px;
  border-color: transparent;
  background: none;
  color: inherit;
  font-size: 13px;
}
.rows tbody th button:hover {
  border-color: var(--edge);
}
.rows tbody th button[aria-pressed="true"] {
  background: var(--accent);
  color: var(--on-accent);
  font-weight: 600;
}
tr.selected > * {
  background: var(--selected);
}
tr.new > *,
td.new,
.memcg.new,
.vma.new,
.level.new > summary {
  background: var(--new-back);
}
tr.new > *:first-child {
  box-shadow: inset 3px 0 0 var(--new-edge);
}
.rows td.new {
  box-shadow:
    inset 0 2px 0 -1px var(--new-edge),
    inset 0 -2px 0 -1px var(--new-edge);
}
.facts td.new,
.memcg.new,
.vma.new {
  box-shadow: inset 0 0 0 1px var(--new-edge);
}
.empty {
  color: var(--dim);
}
.kind {
  display: inline-block;
  padding: 0 7px;
  border-radius: 9px;
  border: 1px solid var(--edge);
  font-size: 12px;
  line-height: 18px;
}
.kind.present {
  border-color: var(--good);
  color: var(--good);
}
.kind.migration {
  border-color: var(--wait);
  color: var(--wait);
  border-style: dashed;
  font-weight: 600;
}
.kind.device {
  border-color: var(--device1);
  color: var(--device1);
  font-weight: 600;
}
.kind.exclusive {
  border-color: var(--device2);
  color: var(--device2);
}
.kind.swap {
  border-style: dotted;
  color: var(--dim);
}
.flags abbr {
  font:
    12px ui-monospace,
    Menlo,
    Consolas,
    monospace;
  text-decoration: none;
  margin-right: 3px;
}
.chip {
  display: inline-block;
  min-width: 34px;
  padding: 0 6px;
  text-align: center;
  border-radius: 4px;
  line-height: 19px;
  font-variant-numeric: tabular-nums;
  border: 1px solid transparent;
}
.chip.device1,
.chip.device2 {
  border-color: var(--device1);
}
.chip.device2 {
  border-color: var(--device2);
}
.chip.zero {
  border-color: var(--edge);
  border-style: dashed;
}
.chip.free {
  border-color: var(--bad);
  color: var(--bad);
  text-decoration: line-through;
}

.levels {
  font-size: 12px;
  color: var(--dim);
}
.levels .level .level {
  padding-left: 12px;
  border-left: 1px solid var(--line);
}
.levels p {
  padding-left: 14px;
}
.levels code {
  font-size: 12px;
}

.memory {
  display: grid;
  gap: 4px;
}
.memory h4 {
  display: flex;
  justify-content: space-between;
  gap: 8px;
  padding-left: 8px;
  border-left: 4px solid var(--cpu);
  color: var(--text);
}
.memory.device1 h4 {
  border-left-color: var(--device1);
}
.memory.device2 h4 {
  border-left-color: var(--device2);
}
.memory h4 span {
  font-weight: 400;
  color: var(--dim);
}
.memory ul {
  display: grid;
  grid-template-columns: repeat(auto-fill, minmax(30px, 1fr));
  gap: 4px;
}
.memory li {
  position: relative;
  height: 40px;
  padding-top: 5px;
  display: grid;
  grid-template-rows: 1fr auto;
  justify-items: center;
  align-items: center;
  border-radius: 5px;
  font-size: 13px;
  font-weight: 600;
  font-variant-numeric: tabular-nums;
  border: 1px solid transparent;
}
.memory li small {
  padding-bottom: 2px;
  font-size: 10px;
  line-height: 12px;
  font-weight: 400;
  color: var(--text);
}
.memory li.free {
  border: 1px dashed var(--line);
}
.memory li.free small {
  color: var(--dim);
}
.memory li.zero {
  border: 1px solid var(--edge);
  font-weight: 400;
}
.memory li.locked::after {
  content: "";
  position: absolute;
  left: 6px;
  right: 6px;
  top: 2px;
  height: 3px;
  border-radius: 2px;
  background: var(--text);
}
.memory li.new {
  outline: 2px solid var(--new-edge);
  outline-offset: 1px;
}
.memory li.new::before {
  content: "+";
  position: absolute;
  top: -7px;
  right: -3px;
  font-size: 11px;
  line-height: 12px;
  width: 12px;
  text-align: center;
  border-radius: 6px;
  background: var(--new-edge);
  color: var(--back);
}
.v1 {
  background: var(--v1);
}
.v2 {
  background: var(--v2);
}
.v3 {
  background: var(--v3);
}
.v4 {
  background: var(--v4);
}
.v5 {
  background: var(--v5);
}
.v6 {
  background: var(--v6);
}
.v7 {
  background: var(--v7);
}
.v8 {
  background: var(--v8);
}
.legend {
  font-size: 12px;
  color: var(--dim);
}

.scroll {
  overflow-x: auto;
  border: 1px solid var(--line);
  border-radius: 8px;
  scrollbar-width: thin;
}
.migration h3 {
  padding-top: 6px;
  border-top: 3px dashed var(--wait);
}
.migration td:last-child {
  white-space: normal;
}
.facts td:last-child {
  white-space: normal;
}
.vma {
  display: inline-block;
  margin: 0 8px 0 -3px;
  padding: 0 3px;
}
.memcg {
  font-size: 14px;
  padding: 2px 6px;
  border-radius: 4px;
}
.legend dl {
  display: grid;
  grid-template-columns: auto 1fr;
  gap: 3px 8px;
  margin: 4px 0 0;
}
.legend dd {
  margin: 0;
}
`;
