/** Light and dark: as the system says, until the button says otherwise. */
import { make } from "./dom.ts";

/** Sets the page's theme, and says on the button what it would change to. */
export function showTheme(isDark: boolean, button: HTMLElement | null): void {
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  if (button === null) return;
  button.textContent = isDark ? "☀ light" : "☾ dark";
  button.setAttribute("aria-label", isDark ? "use light colors" : "use dark colors");
}

/** Sets the theme, and returns the button that changes it. Calls `changed` after each change. */
export function themeButton(changed: () => void): HTMLButtonElement {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const button = make("button", { type: "button", id: "theme" });
  showTheme(dark.matches, button);
  button.addEventListener("click", () => {
    showTheme(document.documentElement.dataset.theme !== "dark", button);
    changed();
  });
  dark.addEventListener("change", ({ matches }) => {
    showTheme(matches, button);
    changed();
  });
  return button;
}
