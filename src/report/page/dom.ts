/** Making elements, and reading the page's colors. */

type Attributes = Record<string, string | ((event: Event) => void)>;

/**
 * Makes an element with attributes (functions are listeners) and children. A style is set as a property: a
 * content security policy may forbid the attribute.
 */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (name === "style") element.style.cssText = value as string;
    else if (typeof value === "string") element.setAttribute(name, value);
    else element.addEventListener(name, value);
  element.append(...children);
  return element;
}

/** The value of a custom property of the theme, such as --ram. */
export function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Red, green and blue of a color as #rrggbb. */
export function rgb(name: string): [number, number, number] {
  const value = Number.parseInt(color(name).slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** An entry of a legend. */
export function key(name: string, text: string, hatched = false): HTMLElement {
  const swatch = make("i", {
    style: `background-color: var(${name})`,
    ...(hatched ? { class: "hatch" } : {}),
  });
  return make("span", { class: "key" }, swatch, text);
}

/** A part of the page with a heading and a sentence about it. */
export function part(
  tag: "figure" | "section",
  title: string,
  about: string,
  ...content: Node[]
): HTMLElement {
  const heading = make("h2", {}, title);
  const head =
    tag === "figure"
      ? [make("figcaption", {}, heading, make("p", {}, about))]
      : [heading, make("p", { class: "about" }, about)];
  return make(tag, {}, ...head, ...content);
}
