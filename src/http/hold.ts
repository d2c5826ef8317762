/**
 * A time limit on a held answer: `signal` aborts with the client or after `ms`. Disposing it lets go of the timer at
 * once; `AbortSignal.timeout` would keep the request in memory until its time, though the answer has long gone out.
 */
export function hold(client: AbortSignal, ms: number): Disposable & { readonly signal: AbortSignal } {
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(), ms)
  return { signal: AbortSignal.any([client, over.signal]), [Symbol.dispose]: () => clearTimeout(timer) }
}
