/** What the pages of one run and of several have in common: one file of HTML that needs nothing else. */
import page from "#page";

/** The content security policy: it forbids the network. */
const POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:";

/** Escapes text for HTML, in elements and in attributes. */
export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

/** JSON for a script element: no "<", so that nothing in it ends the element. */
export function embedded(value: object): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

/**
 * Returns a document.
 * @param title escaped
 * @param body HTML
 * @param script runs in the head, before the body is there
 */
export function documentOf(title: string, body: string, script?: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${page.style}</style>
${script === undefined ? "" : `<script>${script}</script>\n`}</head>
<body>
${body}
</body>
</html>
`;
}
