/** The component's style: colors, then the parts from top to bottom. */
import { HEAD } from "./style-head.ts";
import { LAYOUT } from "./style-layout.ts";
import { TABLES } from "./style-tables.ts";

const COLORS = `
:host {
  display: block;
  --back: light-dark(#ffffff, #14171c);
  --panel: light-dark(#f6f7f9, #1c2027);
  --line: light-dark(#d5d9e0, #353c47);
  --edge: light-dark(#858d99, #6f7986);
  --text: light-dark(#1a1f27, #e6e9ee);
  --dim: light-dark(#56606e, #a3adbb);
  --accent: light-dark(#0061a0, #7cc4f2);
  --on-accent: light-dark(#ffffff, #10141a);
  --cpu: light-dark(#0061a0, #7cc4f2);
  --device1: light-dark(#a84300, #f2a065);
  --device2: light-dark(#8a2f73, #e79fd1);
  --bad: light-dark(#b3261e, #ff9d94);
  --good: light-dark(#00694a, #4fd3a5);
  --wait: light-dark(#7a4f00, #f2c14e);
  --new-back: light-dark(#fff3c4, #4a3d0f);
  --new-edge: light-dark(#b07900, #f2c14e);
  --selected: light-dark(#e5f1fb, #17293a);
  --v1: light-dark(#bfe0f7, #14507a);
  --v2: light-dark(#ffd9b8, #7a3d0c);
  --v3: light-dark(#bcead9, #0f5a43);
  --v4: light-dark(#f3cfe6, #6b2c57);
  --v5: light-dark(#e3dcfb, #453787);
  --v6: light-dark(#f2e5a3, #5c4d06);
  --v7: light-dark(#f6c9c6, #7a2a25);
  --v8: light-dark(#d3e7b4, #3d5a12);
  color: var(--text);
  background: var(--back);
  font:
    15px/1.5 system-ui,
    -apple-system,
    "Segoe UI",
    Roboto,
    sans-serif;
  container-type: inline-size;
}
:host([theme="light"]) {
  color-scheme: light;
}
:host([theme="dark"]) {
  color-scheme: dark;
}
:host([hidden]) {
  display: none;
}
* {
  box-sizing: border-box;
}
h2,
h3,
h4,
p,
ul {
  margin: 0;
  padding: 0;
}
ul {
  list-style: none;
}
h2 {
  font-size: 20px;
  line-height: 1.25;
  letter-spacing: -0.01em;
}
h3 {
  font-size: 14px;
}
h4 {
  font-size: 13px;
  font-weight: 600;
  color: var(--dim);
}
code {
  font:
    13px/1.4 ui-monospace,
    "SF Mono",
    Menlo,
    Consolas,
    monospace;
}
small {
  font-size: 12px;
  color: var(--dim);
}
button,
input,
select,
textarea {
  font: inherit;
  font-size: 14px;
  min-height: 32px;
  padding: 3px 10px;
  color: var(--text);
  background: var(--back);
  border: 1px solid var(--edge);
  border-radius: 6px;
}
button {
  cursor: pointer;
  background: var(--panel);
}
button:hover:not(:disabled) {
  border-color: var(--text);
}
button:disabled {
  opacity: 0.5;
  cursor: default;
}
button.primary {
  background: var(--accent);
  border-color: var(--accent);
  color: var(--on-accent);
  font-weight: 600;
}
:focus-visible {
  outline: 2px solid var(--accent);
  outline-offset: 2px;
}
input[type="checkbox"] {
  min-height: 0;
  width: 16px;
  height: 16px;
  margin: 0;
  accent-color: var(--accent);
}
input[type="number"] {
  width: 68px;
}
button[data-key]::after {
  content: attr(data-key) / "";
  font:
    11px/1 ui-monospace,
    Menlo,
    Consolas,
    monospace;
  color: var(--dim);
  border: 1px solid var(--line);
  border-radius: 3px;
  padding: 1px 4px;
  margin-left: 6px;
}
summary {
  cursor: pointer;
}
.hidden {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}
.buttons {
  display: flex;
  flex-wrap: wrap;
  gap: 6px;
  align-items: center;
}
.bad {
  color: var(--bad);
}
.good {
  color: var(--good);
}
.waits {
  color: var(--wait);
  font-weight: 600;
}
`;

/** The whole style sheet. */
export const STYLE = `${COLORS}${HEAD}${LAYOUT}${TABLES}`;
