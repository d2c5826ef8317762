/**
 * How long a connection may be silent before it is ended. A machine that lost its power closes none of its connections,
 * so each would count as open for ever.
 */
const LONGEST_SILENCE_MS = 24 * 60 * 60_000

/** Limits how long a connection may be silent. Dispose it when the connection ends. */
export interface SilenceLimit extends Disposable {
  /** Starts the time again, because something was sent or received. */
  readonly restart: () => void
}

/** Calls `giveUp` after a silence of `mostMs`: a day, but in tests. */
export function limitSilence(giveUp: () => void, mostMs = LONGEST_SILENCE_MS): SilenceLimit {
  const timer = setTimeout(giveUp, mostMs)
  return { restart: () => void timer.refresh(), [Symbol.dispose]: () => clearTimeout(timer) }
}

/** Reads a body piece by piece. It ends early if nothing comes for `mostMs`: a day, but in tests. */
export async function* piecesOf(
  body: ReadableStream<Uint8Array> | null,
  mostMs?: number,
): AsyncGenerator<Uint8Array> {
  if (body === null) return
  const reader = body.getReader()
  using limit = limitSilence(() => void reader.cancel().catch(() => undefined), mostMs)
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    limit.restart()
    yield next.value
  }
}
