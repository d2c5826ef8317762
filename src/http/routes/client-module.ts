import { Type } from "@sinclair/typebox"

import type { AppWithCaller, Callers } from "../caller-of-request.ts"
import { unlisted, words } from "../docs/words.ts"
import { fileAnswer, pageFile } from "../page-files.ts"

const FRESH = { "cache-control": "no-cache", vary: "accept-encoding" }

/**
 * Serves the client, which pages of other sites import, and its types. Such pages always get the current
 * version.
 */
export const clientModuleRoutes = (app: AppWithCaller, { limits }: Pick<Callers, "limits">) =>
  app
    .get(
      "/client.js",
      async ({ request, caller }) =>
        fileAnswer({ request, caller }, limits, await pageFile("client.js"), FRESH),
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
    .get(
      "/client.d.ts",
      async ({ request, caller }) =>
        fileAnswer({ request, caller }, limits, await pageFile("client.d.ts"), FRESH),
      unlisted,
    )
