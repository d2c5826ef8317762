import { Elysia } from "elysia"

import { describe, type RouteOfApp } from "./describe.ts"
import { reference } from "./reference.ts"
import { unlisted } from "./words.ts"

const STYLE = `:root { color-scheme: light dark; --line: light-dark(#d5d9e0, #343a46); --soft: light-dark(#f3f5f8, #1b1f27) }
body { margin: 0 auto; max-width: 76rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; background: light-dark(#fff, #12151b); color: light-dark(#1a1d23, #e4e7ec) }
a { color: light-dark(#0b5cad, #7cb8f5) }
small { font-weight: normal; font-size: 1rem }
code, pre { font: .875em/1.5 ui-monospace, monospace }
pre { background: var(--soft); padding: .75rem; overflow-x: auto; border-radius: .25rem }
nav ul { list-style: none; padding: 0; margin: 0 }
nav ul ul { padding-left: 1rem; margin-bottom: .5rem }
article { border: 1px solid var(--line); border-radius: .5rem; padding: 0 1rem 1rem; margin: 1rem 0; overflow-x: auto }
h3 { font-size: 1.1rem }
h4 { margin: 1rem 0 .25rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-top: 1px solid var(--line); font-weight: normal }
dt { font-weight: bold }
dd { margin: 0 0 .5rem 1.5rem }
.method { font: bold .8rem ui-monospace, monospace; padding: .15rem .4rem; border-radius: .25rem; color: #fff; background: #41506a }
.get { background: #1b6e3c } .post { background: #0b5cad } .put { background: #8a5300 } .delete { background: #a32020 }
@media (min-width: 64rem) { body { display: grid; grid-template-columns: 15rem 1fr; gap: 0 2rem } header { grid-column: 1 / -1 } nav { position: sticky; top: 1rem; align-self: start; max-height: 96vh; overflow-y: auto; font-size: .9rem } main { min-width: 0 } }
`

const POLICY =
  "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const sent = (body: string, type: string): Response =>
  new Response(body, {
    headers: {
      "content-type": type,
      "cache-control": "no-cache",
      "content-security-policy": POLICY,
      "x-content-type-options": "nosniff",
    },
  })

/** The API described to programs, and to people; `routes` lists the routes of the whole app. */
export function docsRoutes(routes: () => readonly RouteOfApp[], version: string) {
  let document: ReturnType<typeof describe> | undefined
  const described = () => (document ??= describe(routes(), version))
  let page: string | undefined
  return new Elysia({ normalize: false })
    .get("/openapi.json", async () => sent(JSON.stringify(described()), "application/json"), unlisted)
    .get("/docs", async () => sent((page ??= reference(described())), "text/html; charset=utf-8"), unlisted)
    .get("/docs/style.css", async () => sent(STYLE, "text/css; charset=utf-8"), unlisted)
}
