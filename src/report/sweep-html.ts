/** The page of a sweep: one file of HTML that needs nothing else. */
import page from "#page";
import { documentOf, embedded, escaped } from "./document.ts";
import type { SweepPicture } from "./sweep-picture.ts";

/** Returns the page that draws a sweep. */
export function sweepHtml(picture: SweepPicture): string {
  const title = escaped(picture.title);
  return documentOf(
    `${title} – heteromem sweep`,
    `<noscript>This page draws pictures with a script. The results as text: heteromem results</noscript>
<script type="application/json" id="picture">${embedded(picture)}</script>
<script>${page.sweep}</script>`,
  );
}
