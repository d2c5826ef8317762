/**
 * How long a connection may be silent before it is given up. A machine that lost its power closes none, so each would
 * count as open for ever.
 */
const GONE_AFTER_MS = 24 * 60 * 60_000

/** A silence that lasts until something is said, or it is disposed of. */
export interface Silence extends Disposable {
  /** Notes that something was said, so that the silence begins again. */
  readonly broken: () => void
}

/** Calls `giveUp` when a silence has lasted for `mostMs`, which is a day unless a test says otherwise. */
export function silence(giveUp: () => void, mostMs = GONE_AFTER_MS): Silence {
  const timer = setTimeout(giveUp, mostMs)
  return { broken: () => void timer.refresh(), [Symbol.dispose]: () => clearTimeout(timer) }
}

/** A body piece by piece, as it comes. It ends when its sender has said nothing for a day (`mostMs` is for tests). */
export async function* heard(
  body: ReadableStream<Uint8Array> | null,
  mostMs?: number,
): AsyncGenerator<Uint8Array> {
  if (body === null) return
  const reader = body.getReader()
  using silent = silence(() => void reader.cancel().catch(() => undefined), mostMs)
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    silent.broken()
    yield next.value
  }
}
