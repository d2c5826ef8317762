import { pathOf } from "./paths.ts"

const POLICY =
  "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** The page that a browser gets at a path where there is nothing. Its links work below any path of a proxy. */
export function notFoundPage(request: Request): Response {
  // One step up for each part of the path.
  const top = "../".repeat(pathOf(request).split("/").length - 2) || "./"
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Nothing here · Track Studio</title>
<link rel="stylesheet" href="${top}docs/style.css">
</head>
<body>
<main>
<h1>There is nothing at this address</h1>
<ul class="routes">
<li><a href="${top}">The render queue</a></li>
<li><a href="${top}docs">The API reference</a></li>
</ul>
</main>
</body>
</html>
`
  return new Response(html, {
    status: 404,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": POLICY,
      vary: "accept",
    },
  })
}
