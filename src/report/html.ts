/** A run's page: one file of HTML that needs nothing else. */
import page from "#page";
import { documentOf, escaped } from "./document.ts";
import type { Picture } from "./picture.ts";

/** JSON for a script element: no "<", so that nothing in it ends the element. */
function embedded(value: object): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

/** Returns the page that draws a picture. */
export function htmlOf(picture: Picture): string {
  const command = escaped(picture.command);
  return documentOf(
    `${escaped(picture.title)} – heteromem`,
    `<noscript>This page draws pictures with a script. The report as text: ${command}</noscript>
<script type="application/json" id="picture">${embedded(picture)}</script>
<script>${page.script}</script>`,
  );
}
