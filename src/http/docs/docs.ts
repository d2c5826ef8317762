import { Elysia } from "elysia"

import { AppError } from "../../errors.ts"
import type { describe, RouteOfApp } from "./describe.ts"
import { unlisted } from "./words.ts"

import style from "./style.css" with { type: "text" }

const POLICY =
  "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const sent = (body: string, type: string): Response =>
  new Response(body, {
    headers: {
      "content-type": type,
      "cache-control": "no-cache",
      "content-security-policy": POLICY,
    },
  })

/**
 * The description of the API for programs and for people, made when it is asked for. `routes` lists the routes of the
 * whole app.
 */
export function docsRoutes(routes: () => readonly RouteOfApp[], version: string) {
  let document: ReturnType<typeof describe> | undefined
  const described = async () => (document ??= (await import("./describe.ts")).describe(routes(), version))
  let pages: ReadonlyMap<string, string> | undefined
  const page = async (name: string): Promise<Response> => {
    pages ??= (await import("./reference.ts")).reference(await described())
    const html = pages.get(name)
    if (html === undefined) throw new AppError("not_found", `there is nothing at /docs/${name}`)
    return sent(html, "text/html; charset=utf-8")
  }
  return new Elysia({ normalize: false })
    .get("/openapi.json", async () => sent(JSON.stringify(await described()), "application/json"), unlisted)
    .get("/docs", async () => page(""), unlisted)
    .get("/docs/:page", async ({ params }) => page(params.page), unlisted)
    .get("/docs/style.css", async () => sent(style, "text/css; charset=utf-8"), unlisted)
}
