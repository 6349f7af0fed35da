import { render } from "preact";
import { Hmm, PAGE_SIZE } from "../../index.ts";
import { App } from "./app.tsx";
import { Session } from "./session.ts";
import { STYLE } from "./style.ts";

/** The name of the element. */
export const LAB_ELEMENT = "heteromem-lab";

/** The compiled core, which all labs of a page share. */
let compiled: Promise<Hmm["module"]> | null = null;

function compile(): Promise<Hmm["module"]> {
  return (compiled ??= Hmm.create({ systemMemory: 512 * PAGE_SIZE, deviceMemory: 0 }).then(
    ({ module }) => module,
  ));
}

/**
 * The lab as an element: `<heteromem-lab scenario="migrate-and-back" step="4">`. It needs nothing of the page
 * that it stands in, and draws in a shadow tree.
 *
 * Attributes: `scenario`, the name of one of SCENARIOS; `step`, which of its steps is shown; `link`, what a
 * permalink has after its `#`, instead of both; `theme`, "light" or "dark" (by default, what the page or the
 * system prefers). Changing one shows it.
 *
 * It sends the event `heteromem-lab-change`, whose detail is `{ link }`, when what is shown has changed. The
 * property `base` is the address that "Copy link" puts before the `#`; by default the page's own.
 */
export class HeteromemLab extends (globalThis.HTMLElement ?? class {}) {
  static readonly observedAttributes: readonly string[] = ["scenario", "step", "link"];
  /** What the link of "Copy link" has before its `#`. */
  base = "";
  #session: Session | null = null;

  /** What a permalink to the present state has after its `#`; empty until the lab is there. */
  get link(): string {
    return this.#session?.link ?? "";
  }

  connectedCallback(): void {
    if (this.shadowRoot !== null) return;
    const root = this.attachShadow({ mode: "open" });
    // A style sheet that is made is allowed where the page's policy forbids styles inline.
    const style = new CSSStyleSheet();
    style.replaceSync(STYLE);
    root.adoptedStyleSheets = [style];
    const place = document.createElement("div");
    root.append(place);
    compile().then(
      (module) => this.#begin(module, place),
      (error: unknown) => place.append(`The lab cannot be loaded: ${String(error)}`),
    );
  }

  attributeChangedCallback(): void {
    if (this.#session !== null) this.#show(this.#session);
  }

  #begin(module: Hmm["module"], place: HTMLElement): void {
    const session = new Session(module);
    this.#session = session;
    this.#show(session);
    session.subscribe(() =>
      this.dispatchEvent(new CustomEvent("heteromem-lab-change", { detail: { link: session.link } })),
    );
    const href = (): string => `${this.base || location.href.replace(/#.*/, "")}#${session.link}`;
    render(<App session={session} href={href} />, place);
    this.dispatchEvent(new CustomEvent("heteromem-lab-ready"));
  }

  /** Shows what the attributes say. */
  #show(session: Session): void {
    const link = this.getAttribute("link");
    const scenario = this.getAttribute("scenario") ?? "migrate-and-back";
    try {
      if (link !== null && link !== "") session.openLink(link);
      else session.open(scenario, Number(this.getAttribute("step") ?? 0) || 0);
    } catch (error) {
      session.open("migrate-and-back");
      session.message = error instanceof Error ? error.message : String(error);
      session.changed();
    }
  }
}

/** Defines the element, unless the page has done so. */
export function defineLab(): void {
  if (globalThis.customElements !== undefined && customElements.get(LAB_ELEMENT) === undefined)
    customElements.define(LAB_ELEMENT, HeteromemLab);
}
