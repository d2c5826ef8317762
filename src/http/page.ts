import { Type } from "@sinclair/typebox"
import { Elysia } from "elysia"

import type { Caller } from "../access/gate.ts"
import { AppError } from "../errors.ts"
import { acceptsGzip, acceptsHtml } from "./accepts.ts"
import type { Admission } from "./access.ts"
import { unlisted, words } from "./docs/words.ts"
import { type PageFile, pageFile } from "./page-files.ts"

/** Answers `GET /` for clients that are not browsers. */
type AnswerOthers = (request: Request, caller: Caller) => Response | Promise<Response>

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  // The page draws its own icon, which shows progress.
  "img-src 'self' data:",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  // No text, such as a title, can become code or markup.
  "require-trusted-types-for 'script'",
  "trusted-types track-studio",
].join("; ")

const SAFE = {
  "content-security-policy": POLICY,
  "referrer-policy": "no-referrer",
}

const hasTag = (request: Request, etag: string): boolean =>
  (request.headers.get("if-none-match") ?? "").split(",").some((tag) => tag.trim() === etag)

function sent(request: Request, file: PageFile, headers: Readonly<Record<string, string>>): Response {
  const all = { ...SAFE, ...headers, etag: file.etag }
  if (hasTag(request, file.etag)) return new Response(null, { status: 304, headers: all })
  const body = acceptsGzip(request)
    ? { bytes: file.gzipped, encoding: { "content-encoding": "gzip" } }
    : { bytes: file.bytes, encoding: {} }
  return new Response(body.bytes, { headers: { ...all, ...body.encoding, "content-type": file.contentType } })
}

const FRESH = { "cache-control": "no-cache", vary: "accept-encoding" }

/** The page. It names its assets by relative paths, so it works below any path of a proxy. */
async function html(request: Request, name: "index.html" | "item.html"): Promise<Response> {
  return sent(request, await pageFile(name), {
    "cache-control": "no-cache",
    vary: "accept, accept-encoding",
  })
}

const noPage = (path: string): never => {
  throw new AppError("not_found", `${path} serves text/html only; the API is under /api/v1`)
}

/**
 * The page of the queue and the page of each item. `others` answers `/` for clients that do not accept HTML.
 */
export const pageRoutes = (others: AnswerOthers, access: Admission) =>
  new Elysia({ normalize: false })
    .use(access)
    .get(
      "/",
      async ({ request, set, caller }) => {
        set.headers["vary"] = "accept"
        return acceptsHtml(request) ? html(request, "index.html") : others(request, caller)
      },
      words({
        id: "board",
        tag: "Server",
        summary: "The page, or the board of a terminal",
        about:
          "Browsers get the page. curl, wget and HTTPie get a live board that is redrawn in place until they disconnect (`columns`, `rows` and `color=never` fit it to the terminal); other programs get it once, as plain text.",
        successes: [
          {
            status: 200,
            about: "the board, or the page",
            content: { "text/plain": { schema: Type.String() } },
          },
        ],
        refusals: ["not_found", "invalid"],
      }),
    )
    // Answers for any id; the page itself says that an item does not exist.
    .get(
      "/items/:id",
      async ({ request, params: { id }, set }) => {
        set.headers["vary"] = "accept"
        return acceptsHtml(request) ? html(request, "item.html") : noPage(`/items/${id}`)
      },
      unlisted,
    )
    // For pages of other sites, which always want the current version.
    .get(
      "/client.js",
      async ({ request }) => sent(request, await pageFile("client.js"), FRESH),
      words({
        id: "client",
        tag: "Server",
        summary: "The client as a module",
        about:
          "One ES module without dependencies, for browsers, Node and Bun, that exports `Client`; `/client.d.ts` has its types.",
        successes: [
          { status: 200, about: "the module", content: { "text/javascript": { schema: Type.String() } } },
        ],
        refusals: ["not_found"],
      }),
    )
    .get("/client.d.ts", async ({ request }) => sent(request, await pageFile("client.d.ts"), FRESH), unlisted)
    .get(
      "/assets/:name",
      async ({ request, params: { name } }) =>
        sent(request, await pageFile(`assets/${name}`), {
          "cache-control": "public, max-age=31536000, immutable",
          vary: "accept-encoding",
        }),
      unlisted,
    )
