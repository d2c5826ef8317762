import { DEGRADED, type Reasons, UNREADY } from "../../degraded-reasons.ts"
import { Health, Liveness, Readiness } from "../../wire/health-and-stats.ts"
import { API } from "../api.ts"
import type { AppWithCaller } from "../caller-of-request.ts"
import { json, words } from "../docs/words.ts"

/** What the answer says about this server. */
export interface Running {
  /** What is wrong now. */
  readonly reasons: Reasons
  /** The version of the program. */
  readonly version: string
  /** The commit from which the program was built. */
  readonly commit: string
  /** When the server started, by `performance.now()`. */
  readonly startedMs: number
  /** Epoch milliseconds, by the clock of the database. */
  readonly now: () => number
  /** When retention begins to remove old updates, in epoch milliseconds; absent if it has begun long ago. */
  readonly retentionBeginsAtMs?: (() => number) | undefined
}

/**
 * On a database of an older version retention begins one day later, so that the owner can change the settings
 * before.
 */
function begins({ retentionBeginsAtMs, now }: Running): Pick<Health, "retention_begins_at"> {
  const atMs = retentionBeginsAtMs?.() ?? 0
  const isToCome = Number.isFinite(atMs) && atMs > now()
  return isToCome ? { retention_begins_at: new Date(atMs).toISOString() } : {}
}

/** `GET /health`, for one prefix of paths; `id` names the operation. */
export const healthRoute = (app: AppWithCaller, running: Running, id: "health" | "apiHealth") =>
  app.get(
    id === "health" ? "/health" : `${API}/health`,
    (): Health => {
      const reasons = running.reasons.current
      return {
        status: reasons.length === 0 ? "ok" : "degraded",
        reasons,
        service: "track-studio-orchestrator",
        version: running.version,
        commit: running.commit,
        uptime_seconds: Math.floor((performance.now() - running.startedMs) / 1000),
        ...begins(running),
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

/** If no timer has run for this long, the event loop counts as stuck. */
const STUCK_MS = 60_000

/**
 * `GET /health/live` and `GET /health/ready`. Neither of them reads the database. `stoodMs` returns for how
 * long no timer has run.
 */
export const probeRoutes = (app: AppWithCaller, reasons: Reasons, stoodMs: () => number) =>
  app
    .get(
      "/health/live",
      ({ set }): Liveness => {
        const ms = Math.max(0, stoodMs())
        const isStuck = ms >= STUCK_MS
        if (isStuck) set.status = 503
        return { status: isStuck ? "stuck" : "live", stood_seconds: Math.round(ms) / 1000 }
      },
      words({
        id: "live",
        tag: "Server",
        summary: "Check that the process is alive",
        about:
          "For a supervisor that restarts the server: it fails only when the server has stood still for 60 s. A fault that a restart does not repair, such as a full disk, does not make it fail.",
        successes: [
          json("the process is alive", Liveness),
          json("the process has stood still for 60 s: restart it", Liveness, 503),
        ],
        refusals: ["method_not_allowed"],
      }),
    )
    .get(
      "/health/ready",
      ({ set }): Readiness => {
        const held = reasons.held.map((one) => ({
          ...one,
          unready: UNREADY.includes(one.reason),
          about: DEGRADED[one.reason].about,
        }))
        const isReady = held.every(({ unready }) => !unready)
        if (!isReady) set.status = 503
        return { status: isReady ? "ready" : "unready", reasons: held }
      },
      words({
        id: "ready",
        tag: "Server",
        summary: "Check that the server is ready",
        about: `Answered at once, from what the server already knows. It fails for ${UNREADY.map((reason) => `\`${reason}\``).join(", ")}; other reasons are listed with 200.`,
        successes: [
          json("the server is ready", Readiness),
          json("the server is not ready, for the reasons given", Readiness, 503),
        ],
        refusals: ["method_not_allowed"],
      }),
    )
