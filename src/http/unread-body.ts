/** For this long the rest of a body that nobody wants is read before its request is answered. */
const DROPPED_MS = 1000

const ended = new WeakSet<Request>()

/** Notes that the body of a request was read to its end. */
export const noteEnd = (request: Request): void => void ended.add(request)

/** Whether a body, or its rest, has not been read. The body of a GET is never known, so it does not count. */
export const hasUnreadBody = (request: Request): boolean => !ended.has(request) && request.body !== null

/** Whether the head of a request says that a body follows. */
export const announcesBody = ({ headers }: Request): boolean =>
  Number(headers.get("content-length") ?? 0) !== 0 || headers.has("transfer-encoding")

/**
 * Reads what is left of a body, and drops it, for one second at most. A client that is still sending when its
 * connection is closed may not see the answer. If the body has not ended afterwards, `hasUnreadBody` is still
 * true.
 */
export async function dropBody(request: Request): Promise<void> {
  if (!hasUnreadBody(request) || !request.body || request.body.locked) return
  const reader = request.body.getReader()
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    reader.cancel().catch(() => undefined)
  }, DROPPED_MS)
  try {
    while (!(await reader.read()).done);
    if (!isLate) noteEnd(request)
  } catch {
    // The client has gone away.
  } finally {
    clearTimeout(timer)
  }
}
