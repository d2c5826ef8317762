/**
 * A time limit for an answer that is held: `signal` aborts when the client leaves, after `ms`, or when the
 * caller's token has `ended`. Dispose of it to stop the timer at once. `AbortSignal.timeout` would keep the
 * request in memory until the time is over, long after the answer was sent.
 */
export function timeLimit(
  client: AbortSignal,
  ms: number,
  ended?: AbortSignal,
): Disposable & { readonly signal: AbortSignal } {
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(), ms)
  return {
    signal: AbortSignal.any([client, over.signal, ...(ended ? [ended] : [])]),
    [Symbol.dispose]: () => clearTimeout(timer),
  }
}
