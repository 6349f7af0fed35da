/** A run's page: one file of HTML that needs nothing else. */
import page from "#page";
import { documentOf, embedded, escaped } from "./document.ts";
import type { Picture } from "./picture.ts";

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
