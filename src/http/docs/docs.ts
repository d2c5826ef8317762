import type { Caller } from "../../access/authorize.ts"
import { AppError } from "../../errors.ts"
import type { AppWithCaller, Callers } from "../caller-of-request.ts"
import { REFERENCE_POLICY } from "../content-policies.ts"
import type { describe, RouteOfApp } from "./describe.ts"
import { unlisted } from "./words.ts"

import style from "./style.css" with { type: "text" }

const pageAnswer = (body: string, type: string): Response =>
  new Response(body, {
    headers: {
      "content-type": type,
      "cache-control": "no-cache",
      "content-security-policy": REFERENCE_POLICY,
    },
  })

/**
 * Puts the path under which a proxy serves this server into the examples. Only the browser knows this path:
 * it has loaded this script from there.
 */
const ADDRESS_SCRIPT = `const { src, dataset } = document.currentScript
const server = new URL("..", src).href.slice(0, -1)
for (const example of document.querySelectorAll("pre"))
  example.textContent = example.textContent.replaceAll(dataset.server, server)
`

/** The address that the reader used, also if a proxy is in between, without the path of that proxy. */
function addressOf({ headers }: Request): string {
  const scheme = headers.get("x-forwarded-proto") === "https" ? "https" : "http"
  return `${scheme}://${headers.get("host") ?? "localhost"}`
}

/**
 * The description of the API for programs and for people, made when it is requested. `routes` lists the
 * routes of the whole app.
 */
export function docsRoutes(
  app: AppWithCaller,
  routes: () => readonly RouteOfApp[],
  version: string,
  { limits }: Pick<Callers, "limits">,
) {
  let document: ReturnType<typeof describe> | undefined
  const described = async () => (document ??= (await import("./describe.ts")).describe(routes(), version))
  let json: string | undefined
  let pages: ReadonlyMap<string, string> | undefined
  const charged = (caller: Caller, body: string, type: string): Response => {
    limits.charge(caller, body.length)
    return pageAnswer(body, type)
  }
  const page = async (request: Request, caller: Caller, name: string): Promise<Response> => {
    const { pageFor, reference } = await import("./reference.ts")
    pages ??= reference(await described())
    const html = pages.get(name)
    if (html === undefined) throw new AppError("not_found", `there is nothing at /docs/${name}`)
    return charged(caller, pageFor(html, addressOf(request)), "text/html; charset=utf-8")
  }
  return app
    .get(
      "/openapi.json",
      async ({ caller }) => {
        json ??= JSON.stringify(await described())
        return charged(caller, json, "application/json")
      },
      unlisted,
    )
    .get("/docs", async ({ request, caller }) => page(request, caller, ""), unlisted)
    .get("/docs/:page", async ({ request, caller, params }) => page(request, caller, params.page), unlisted)
    .get(
      "/docs/address.js",
      async () => pageAnswer(ADDRESS_SCRIPT, "text/javascript; charset=utf-8"),
      unlisted,
    )
    .get("/docs/style.css", async () => pageAnswer(style, "text/css; charset=utf-8"), unlisted)
}
