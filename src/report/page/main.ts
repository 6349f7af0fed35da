/** The page of a run: draws the picture that the page carries. */
import type { Picture } from "../picture.ts";
import { make } from "./dom.ts";
import { lead } from "./run-numbers.ts";
import { settings } from "./run-tables.ts";
import { RunView } from "./run-view.ts";
import { themeButton } from "./theme.ts";

const picture = JSON.parse(document.getElementById("picture")!.textContent) as Picture;
const view = new RunView(picture);
const title = make("div", {}, make("h1", {}, picture.title), make("p", { class: "lead" }, lead(picture)));
document.body.append(
  make(
    "header",
    {},
    title,
    themeButton(() => view.redraw()),
  ),
  make(
    "main",
    {},
    ...view.elements,
    settings(picture),
    make("footer", {}, "Made by heteromem. Nothing on this page comes from the network."),
  ),
);
