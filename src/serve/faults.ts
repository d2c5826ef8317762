import { DEGRADED, type HeldReason, UNREADY } from "../health.ts"
import { ErrorLog } from "../log.ts"

/** The server's own errors in its log: an error that comes again is counted, and logged once in a while. */
export const errors = new ErrorLog()

/** Logs one of the server's own errors under this message; for `onError`. */
export const logged =
  (message: string) =>
  (error: unknown): void =>
    errors.log(message, error)

/** Logs that a reason holds for which the server is degraded, or that it no longer does; a drain has its own lines. */
export function logReason({ reason, detail }: HeldReason, holds: boolean, forMs: number): void {
  if (reason === "draining") return
  if (!holds) return errors.info("no longer degraded", reason, { seconds: Math.round(forMs / 1000) })
  const fields = { about: DEGRADED[reason], ...(detail !== "" && { detail }) }
  if (UNREADY.includes(reason)) errors.log("degraded", reason, fields)
  else errors.warn("degraded", reason, fields)
}
