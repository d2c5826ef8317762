import { DEGRADED, type HeldReason, UNREADY } from "../degraded-reasons.ts"
import { ErrorLog } from "../log.ts"

/**
 * The server's own errors in its log. An error that comes again is counted, and logged only once in a while.
 */
export const errorLog = new ErrorLog()

/** The message of an error for which streams leave out a part of the history; that has a reason of its own in the health. */
export const HISTORY_UNREAD = "the history could not be read"

/** Returns a function for `onError` that logs one of the server's own errors with this message. */
export const logged =
  (message: string) =>
  (error: unknown): void =>
    errorLog.log(message, error)

/**
 * Logs that a reason for which the server is degraded holds now, or no longer holds. A drain has its own log
 * lines.
 */
export function logReason({ reason, detail }: HeldReason, holds: boolean, forMs: number): void {
  if (reason === "draining") return
  if (!holds) return errorLog.info("no longer degraded", reason, { seconds: Math.round(forMs / 1000) })
  const fields = { about: DEGRADED[reason].about, ...(detail !== "" && { detail }) }
  if (UNREADY.includes(reason)) errorLog.log("degraded", reason, fields)
  else errorLog.warn("degraded", reason, fields)
}
