import { Elysia } from "elysia"

import type { Reasons } from "../health.ts"
import { Health } from "../wire/answers.ts"
import { json, words } from "./docs/words.ts"

/** What the answer says about this server. */
export interface Running {
  /** What is wrong now. */
  readonly reasons: Reasons
  /** The version of the program. */
  readonly version: string
  /** The commit it was built from. */
  readonly commit: string
  /** When the server started, by `performance.now()`. */
  readonly startedMs: number
}

/** `GET /health`, for one prefix of paths; `id` names the operation. */
export const healthRoute = (running: Running, id: "health" | "apiHealth") =>
  new Elysia({ normalize: false }).get(
    "/health",
    (): Health => {
      const reasons = running.reasons.current
      return {
        status: reasons.length === 0 ? "ok" : "degraded",
        reasons,
        service: "track-studio-orchestrator",
        version: running.version,
        commit: running.commit,
        uptime_seconds: Math.floor((performance.now() - running.startedMs) / 1000),
      }
    },
    words({
      id,
      tag: "Server",
      summary: id === "health" ? "Health check" : "Health check, below the API's base",
      about:
        "The answer is 200 as long as the server answers at all. `degraded` means that something does not work as it should, and `reasons` says what.",
      successes: [json("the server runs", Health)],
      refusals: ["method_not_allowed"],
    }),
  )
