/** A run's page: one file of HTML that needs nothing else. */
import page from "#page";
import type { Picture } from "./picture.ts";

/** Escapes text for HTML. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

/** JSON for a script element: no "<", so that nothing in it ends the element. */
function embedded(value: object): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

/** Returns the page that draws a picture. The content security policy forbids it the network. */
export function htmlOf(picture: Picture): string {
  const policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<link rel="icon" href="data:,">
<title>${escaped(picture.title)} – heteromem</title>
<style>${page.style}</style>
</head>
<body>
<noscript>This page draws pictures with a script. The report as text: ${escaped(picture.command)}</noscript>
<script type="application/json" id="picture">${embedded(picture)}</script>
<script>${page.script}</script>
</body>
</html>
`;
}
