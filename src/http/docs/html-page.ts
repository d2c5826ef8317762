/** The parts of an HTML page without scripts that differ from page to page. */
interface HtmlPageParts {
  /** Its title. */
  readonly title: string
  /** The relative path from this page to the page of the queue. */
  readonly top: string
  /** HTML above its content; default nothing. */
  readonly header?: string
  /** HTML with the links to other pages; default nothing. */
  readonly nav?: string
  /** Its content, as HTML. */
  readonly main: string
}

/** The logo of the product: a wave. */
const LOGO = `<svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true"><rect width="32" height="32" rx="8" fill="#1c2540"/><path d="M8 13v6M13 8v16M18.5 11v10M24 14v4" stroke="#7aa5ff" stroke-width="3.2" stroke-linecap="round"/></svg>`

/** A page without scripts in the look of the product. Its links work below any path of a proxy. */
export const htmlPage = ({
  title,
  top,
  header = "",
  nav = "",
  main,
}: HtmlPageParts): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="stylesheet" href="${top}docs/style.css">
</head>
<body>
<header><a class="brand" href="${top || "./"}">${LOGO}Track Studio</a>${header}</header>
${nav}
<main>
${main}
</main>
</body>
</html>
`
