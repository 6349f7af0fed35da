/**
 * Light and dark: as the system says, until the button of the header says otherwise; the choice is kept. Runs
 * in the head, before anything is drawn. After each change the document hears of the event "themechange".
 */
import { showTheme } from "../../src/report/page/theme.ts";

const KEY = "heteromem-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;

/** What was chosen; null: nothing, or this browser keeps nothing. */
function chosen(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function keep(theme: string): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // The choice holds for this page.
  }
}

function set(theme: string): void {
  const button = document.getElementById("theme");
  showTheme(theme === "dark", button);
  if (button !== null) document.dispatchEvent(new Event("themechange"));
}

const now = (): string => chosen() ?? (dark.matches ? "dark" : "light");
set(now());
dark.addEventListener("change", () => set(now()));
document.addEventListener("DOMContentLoaded", () => {
  set(now());
  document.getElementById("theme")?.addEventListener("click", () => {
    const theme = root.dataset.theme === "dark" ? "light" : "dark";
    keep(theme);
    set(theme);
  });
});
