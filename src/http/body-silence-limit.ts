import { noteEnd } from "./unread-body.ts"

/**
 * A connection is ended after this much silence. A machine that lost its power closes no connections, so each
 * of them would count as open for ever.
 */
const LONGEST_SILENCE_MS = 24 * 60 * 60_000

/** Limits how long a connection may be silent. Dispose of it when the connection ends. */
export interface SilenceLimit extends Disposable {
  /** Begins to count again, because something was sent or received. */
  readonly restart: () => void
}

/** Calls `giveUp` after `mostMs` of silence: one day, except in tests. */
export function limitSilence(giveUp: () => void, mostMs = LONGEST_SILENCE_MS): SilenceLimit {
  const timer = setTimeout(giveUp, mostMs)
  return { restart: () => void timer.refresh(), [Symbol.dispose]: () => clearTimeout(timer) }
}

/**
 * Reads a body piece by piece. Reading ends early if nothing comes for `mostMs`: one day, except in tests.
 */
export async function* piecesOf(request: Request, mostMs?: number): AsyncGenerator<Uint8Array> {
  if (request.body === null) return
  const reader = request.body.getReader()
  let isSilent = false
  const giveUp = (): void => {
    isSilent = true
    reader.cancel().catch(() => undefined)
  }
  using limit = limitSilence(giveUp, mostMs)
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      limit.restart()
      yield next.value
    }
    if (!isSilent) noteEnd(request)
  } finally {
    // What is left may be read after a refusal.
    reader.releaseLock()
  }
}
