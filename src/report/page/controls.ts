/** Choices of the page of a sweep. */
import { make } from "./dom.ts";

/** Returns a labelled list of choices. Calls `changed` with the index of the one that is taken. */
export function choose(
  label: string,
  options: readonly [value: number, text: string][],
  chosen: number,
  changed: (value: number) => void,
): HTMLElement {
  const select = make("select", { change: () => changed(Number(select.value)) });
  for (const [value, text] of options) {
    const option = make("option", { value: String(value) }, text);
    option.selected = value === chosen;
    select.append(option);
  }
  return make("label", { class: "choice" }, make("span", {}, label), select);
}
