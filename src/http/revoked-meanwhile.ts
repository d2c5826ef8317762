import type { Caller } from "../access/authorize.ts"
import { AppError } from "../errors.ts"

/**
 * The refusal for a caller whose token was revoked or has expired in the meantime, or that had no token and
 * now needs one.
 */
export const noLongerIn = ({ token }: Pick<Caller, "token">): AppError =>
  new AppError(
    "unauthorized",
    token ? "the token was revoked or has expired" : "this server needs a token since one was created",
  )

/**
 * Call it after a wait, because the token may have been revoked in the meantime.
 * @throws AppError `unauthorized`
 */
export function checkStillIn(caller: Caller): void {
  if (caller.ended?.aborted) throw noLongerIn(caller)
}

/**
 * Calls `leave` with the refusal when the caller's token is revoked or expires. Disposing of the result ends
 * that.
 */
export function whileIn(caller: Caller, leave: (refusal: AppError) => void): Disposable {
  const { ended } = caller
  const over = new AbortController()
  if (ended?.aborted) leave(noLongerIn(caller))
  ended?.addEventListener("abort", () => leave(noLongerIn(caller)), { signal: over.signal })
  return { [Symbol.dispose]: () => over.abort() }
}
