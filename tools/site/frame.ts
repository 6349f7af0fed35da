/** The frame that all pages of the site have: policy, header, main part, footer. */

/**
 * What a page may do: run scripts of its own place and compile WebAssembly. Nothing may be evaluated, and
 * nothing may be sent elsewhere.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/** Pages in RAM and on a device. In the document: browsers ask for it again when the hash changes. */
const ICON =
  "data:image/svg+xml," +
  encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">' +
      '<rect width="16" height="16" rx="3" fill="#1c2027"/>' +
      '<path d="M3 4h4v3H3zM3 9h4v3H3z" fill="#56b4e9"/>' +
      '<path d="M9 4h4v3H9zM9 9h4v3H9z" fill="#f0883e"/></svg>',
  );

/** The pages that the header leads to, by folder. */
const NAVIGATION = { simulator: "Simulator", lab: "Lab", docs: "Docs" } as const;

/** A page without its frame. */
export interface Content {
  /** Escaped. */
  title: string;
  /** Escaped. */
  description: string;
  /** The main part, in HTML. */
  main: string;
}

/** Where a page stands, and what it loads. */
export interface Place {
  /** The page's folder, relative to the site's root; "." is the root. */
  folder: string;
  /** Style sheets and scripts, relative to the site's root. */
  styles: readonly string[];
  scripts: readonly string[];
}

/** Returns the way from a folder of the site to its root, with a slash at the end. */
function wayUp(folder: string): string {
  return folder === "." ? "./" : "../".repeat(folder.split("/").length);
}

/** Returns the document of a page. All its addresses are relative: it works below any path. */
export function framed({ title, description, main }: Content, { folder, styles, scripts }: Place): string {
  const up = wayUp(folder);
  const [section] = folder.split("/");
  const links = Object.entries(NAVIGATION).map(([name, text]) => {
    const here = name === section ? ' aria-current="page"' : "";
    return `<li><a href="${up}${name}/"${here}>${text}</a></li>`;
  });
  const name = title === "heteromem" ? title : `${title} – heteromem`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="${description}">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="${ICON}">
<title>${name}</title>
<script src="${up}shared/theme.js"></script>
<script src="${up}shared/keep.js" defer></script>
${styles.map((style) => `<link rel="stylesheet" href="${up}${style}">`).join("\n")}
${scripts.map((script) => `<script type="module" src="${up}${script}"></script>`).join("\n")}
</head>
<body>
<a class="skip" href="#main">Skip to the page</a>
<header class="site">
<a class="home" href="${up}">heteromem</a>
<nav aria-label="Site"><ul>${links.join("")}</ul></nav>
<button type="button" id="theme"></button>
</header>
<main id="main" tabindex="-1">
${main}
</main>
<footer class="site">
<p>heteromem is free software under the MIT license. These pages run on your machine alone: nothing that you
open or type is sent anywhere.</p>
</footer>
</body>
</html>
`;
}
