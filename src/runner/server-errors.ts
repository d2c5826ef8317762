import { ServerError } from "../client/client.ts"
import { pause } from "../client/missed-keepalives.ts"
import { codeOf } from "../errors.ts"
import type { RetryPauses } from "./retry-pauses.ts"

/** The wait after the server has denied us access, because its owner must correct that. */
export const DENIED_MS = 10_000
/** The longest wait that an answer can ask for: a proxy may name the end of a day. */
const MOST_ASKED_MS = 300_000
/** The codes of a connection that was refused, as Bun and the system name it. */
const REFUSED: readonly string[] = ["ConnectionRefused", "ECONNREFUSED"]

/** Whether the answer is not our server's: there was none, it is only for now, or a proxy answered. */
export const isUnreachable = ({ isPassing, code }: ServerError): boolean => isPassing || code === ""

/** Whether the server denies us access. A wrong token or host name can be corrected while we wait. */
export const isDenied = ({ status }: ServerError): boolean => [401, 403, 421].includes(status)

/**
 * Whether the server does not have an item that it once gave us, not even as a deleted one: it has another database now,
 * and the right one may come back.
 */
export const isMissing = (error: unknown): error is ServerError =>
  error instanceof ServerError && error.status === 404 && error.code === "not_found"

/** Whether the server has refused for good: the same request would be refused again. */
export const isFinalRefusal = (error: unknown): error is ServerError =>
  error instanceof ServerError && !isUnreachable(error) && !isDenied(error)

/** Whether nothing listens at the server's address, so that the request reached nobody. */
export const isRefused = ({ cause }: ServerError): boolean => REFUSED.includes(codeOf(cause))

/** Waits before the next try, at most `mostMs`. */
export function rest(
  error: unknown,
  pauses: RetryPauses,
  signal: AbortSignal,
  mostMs = DENIED_MS,
): Promise<void> {
  if (error instanceof ServerError && isDenied(error)) return pause(Math.min(DENIED_MS, mostMs), signal)
  return pauses.wait(signal)
}

/** As `rest`, but first waits for as long as the answer asks (`Retry-After`), five minutes at most. */
export async function restAsAsked(
  error: ServerError,
  pauses: RetryPauses,
  signal: AbortSignal,
): Promise<void> {
  if (error.retryAfterMs > 0) await pause(Math.min(error.retryAfterMs, MOST_ASKED_MS), signal)
  // Clients that were refused at the same time come back at different times.
  await rest(error, pauses, signal)
}
