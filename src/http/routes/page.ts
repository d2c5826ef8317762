import { Type } from "@sinclair/typebox"

import type { Caller } from "../../access/authorize.ts"
import { AppError } from "../../errors.ts"
import { acceptsHtml } from "../accepts.ts"
import type { AppWithCaller, Callers } from "../caller-of-request.ts"
import { unlisted, words } from "../docs/words.ts"
import { fileAnswer, pageFile } from "../page-files.ts"

/** Answers `GET /` for clients that are not browsers. */
type AnswerOthers = (request: Request, caller: Caller) => Response | Promise<Response>

/** The headers of the page. It names its assets by relative paths, so it works below any path of a proxy. */
const PAGE = { "cache-control": "no-cache", vary: "accept, accept-encoding" }

const noPage = (path: string): never => {
  throw new AppError("not_found", `${path} serves text/html only; the API is under /api/v1`)
}

/**
 * The page of the queue and the page of each item. `others` answers `/` for clients that do not accept HTML.
 */
export const pageRoutes = (app: AppWithCaller, others: AnswerOthers, { limits }: Pick<Callers, "limits">) =>
  app
    .get(
      "/",
      async ({ request, set, caller }) => {
        set.headers["vary"] = "accept"
        if (!acceptsHtml(request)) return others(request, caller)
        return fileAnswer({ request, caller }, limits, await pageFile("index.html"), PAGE)
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
      async ({ request, params: { id }, set, caller }) => {
        set.headers["vary"] = "accept"
        if (!acceptsHtml(request)) return noPage(`/items/${id}`)
        return fileAnswer({ request, caller }, limits, await pageFile("item.html"), PAGE)
      },
      unlisted,
    )
    .get(
      "/assets/:name",
      async ({ request, params: { name }, caller }) =>
        fileAnswer({ request, caller }, limits, await pageFile(`assets/${name}`), {
          "cache-control": "public, max-age=31536000, immutable",
          vary: "accept-encoding",
        }),
      unlisted,
    )
