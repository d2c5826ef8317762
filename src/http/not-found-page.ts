import { NOT_FOUND_POLICY } from "./content-policies.ts"
import { htmlPage } from "./docs/html-page.ts"
import { pathOf } from "./paths.ts"

/** The wave of the product as a flat line. */
const FLAT_LINE = `<svg class="flat-line" viewBox="0 0 240 24" aria-hidden="true"><path d="${Array.from(
  { length: 40 },
  (_, i) => `M${i * 6 + 3} ${i % 9 === 4 ? "9v6" : "11v2"}`,
).join("")}"/></svg>`

/** The page that a browser gets at a path that does not exist. Its links work below any path of a proxy. */
export function notFoundPage(request: Request): Response {
  // Goes up one level for each part of the path.
  const top = "../".repeat(pathOf(request).split("/").length - 2) || "./"
  const links = `<a class="button first" href="${top}">Open the render queue</a> <a class="button" href="${top}docs">API reference</a>`
  const html = htmlPage({
    title: "Nothing here · Track Studio",
    top,
    main: `<div class="gone">${FLAT_LINE}<h1>There is nothing at this address</h1><p>The link may be old, or mistyped.</p><p>${links}</p></div>`,
  })
  return new Response(html, {
    status: 404,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": NOT_FOUND_POLICY,
      vary: "accept",
    },
  })
}
