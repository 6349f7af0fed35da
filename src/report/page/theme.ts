/** Light and dark: as the system says, until the button says otherwise. */
import { make } from "./dom.ts";

/** Sets the theme, and returns the button that changes it. Calls `changed` after each change. */
export function themeButton(changed: () => void): HTMLButtonElement {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const button = make("button", { type: "button", id: "theme" });
  const set = (isDark: boolean): void => {
    root.dataset.theme = isDark ? "dark" : "light";
    button.textContent = isDark ? "☀ light" : "☾ dark";
    button.setAttribute("aria-label", isDark ? "use light colors" : "use dark colors");
  };
  set(dark.matches);
  button.addEventListener("click", () => {
    set(root.dataset.theme !== "dark");
    changed();
  });
  dark.addEventListener("change", ({ matches }) => {
    set(matches);
    changed();
  });
  return button;
}
