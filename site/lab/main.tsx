/** The lab's page: the component, a permalink in the address, and the page's colors. */
import { LAB_ELEMENT, type HeteromemLab } from "../../src/lab.ts";

const lab = document.createElement(LAB_ELEMENT) as HeteromemLab;

/** Shows what the address names: a permalink, or `#scenario=NAME&step=N`. */
function follow(): void {
  const hash = location.hash.replace(/^#/, "");
  const fields = new URLSearchParams(hash);
  if (fields.has("scenario")) {
    lab.setAttribute("step", fields.get("step") ?? "0");
    lab.setAttribute("scenario", fields.get("scenario")!);
  } else if (hash !== "" && hash !== lab.link) lab.setAttribute("link", hash);
}

/** The component's colors are the page's. */
function color(): void {
  lab.setAttribute("theme", document.documentElement.dataset.theme ?? "light");
}

lab.addEventListener("heteromem-lab-change", () => history.replaceState(null, "", `#${lab.link}`));
addEventListener("hashchange", follow);
document.addEventListener("themechange", color);
color();
follow();
document.getElementById("lab")!.append(lab);
