/** How long to wait between attempts. */
export interface Backoff {
  /** Milliseconds to wait after the first failure; twice as long after each further one. */
  readonly firstMs: number
  /** The longest wait in milliseconds, before the spread. */
  readonly mostMs: number
  /** The part by which a wait varies, up and down: 0.2 is 20 %; 0 turns the variation off. */
  readonly spread: number
}

/**
 * Milliseconds to wait after a failure, if `failures` others came before it. With a first wait of 1 s, at
 * most 60 s and a spread of 0.2 the waits are 1, 2, 4, 8, 16, 32, 60, 60, ... seconds, each within 20 %. The
 * spread is applied after the limit, so that the clients with the longest wait do not all return at the same
 * moment. `random` gives numbers from 0 up to 1.
 */
export function backoff(
  { firstMs, mostMs, spread }: Backoff,
  failures: number,
  random: () => number = Math.random,
): number {
  return Math.min(mostMs, firstMs * 2 ** failures) * (1 + spread * (2 * random() - 1))
}

/**
 * Milliseconds to wait, from the header `Retry-After` of an answer: it has seconds, or a date by the answer's
 * own clock. 0 if there is no such header.
 */
export function retryAfterMs(headers: Headers): number {
  const said = headers.get("retry-after") ?? ""
  const date = headers.get("date") ?? ""
  const nowMs = date === "" ? Date.now() : Date.parse(date)
  const ms = /^\s*\d+\s*$/.test(said) ? Number(said) * 1000 : Date.parse(said) - nowMs
  return ms > 0 ? ms : 0
}
