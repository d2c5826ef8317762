/** Work in the background, with a beginning and an end. */
export interface Service {
  /** Begins the work. If it rejects, it may be called again, and `stop` must be called anyway. */
  start(): Promise<void>
  /** Ends the work; resolves once nothing of it runs any more. It may be called again, and before `start`. */
  stop(): Promise<void>
}

/**
 * The time between two rounds of work that is repeated about once a second, in milliseconds. All such work does its
 * rounds at the same times, so a server at rest is woken about once a second. It is less than a second so that a change
 * by another process, such as a new token, is noticed within a second even if the round is a little late.
 */
export const FAST_ROUND_MS = 900

/** Work that is repeated. */
export interface Repetition {
  /** Begins no further round; resolves once the round that is under way has ended. */
  stop(): Promise<void>
}

/** A time at which a function is called. */
interface DueCall {
  /** In milliseconds of `performance.now()`. */
  atMs: number
  readonly call: (nowMs: number) => void
}

/**
 * All timers of the process that repeat. They share one timer of the system, so that rounds that are due at
 * the same time wake the process only once.
 */
const waiting = new Set<DueCall>()
let timer: Timer | undefined

/** Sets the timer again, even to the same time: what was set while a test had replaced `setTimeout` never rings. */
function arm(): void {
  let nextMs = Number.POSITIVE_INFINITY
  for (const { atMs } of waiting) nextMs = Math.min(nextMs, atMs)
  clearTimeout(timer)
  if (waiting.size > 0) timer = setTimeout(ring, Math.max(0, Math.ceil(nextMs - performance.now())))
}

function ring(): void {
  const nowMs = performance.now()
  for (const due of [...waiting]) if (due.atMs <= nowMs) due.call(nowMs)
  arm()
}

/**
 * Calls `run` every `ms` milliseconds, the first time within `ms` from now, until it is stopped. All such
 * calls have their rounds at the same times, as far as their `ms` allow it, so that a server at rest is woken
 * seldom. Rounds never overlap: a round that is due while another is under way is left out. `run` gets the
 * number of milliseconds by which the timer was late, at most, since the round before: on a machine that was
 * suspended, this is how long. `onError` is called with what a round throws; the next round comes anyway.
 */
export function every(
  ms: number,
  run: (lateMs: number) => void | Promise<void>,
  onError: (error: unknown) => void,
): Repetition {
  let isUnderWay = false
  let latest: Promise<void> | undefined
  let lateMs = 0
  const round = async (): Promise<void> => {
    isUnderWay = true
    try {
      const late = lateMs
      lateMs = 0
      await run(late)
    } catch (error) {
      onError(error)
    } finally {
      isUnderWay = false
    }
  }
  const due: DueCall = {
    atMs: (Math.floor(performance.now() / ms) + 1) * ms,
    call(nowMs) {
      lateMs = Math.max(lateMs, nowMs - due.atMs)
      due.atMs += ms * Math.max(1, Math.ceil((nowMs - due.atMs) / ms))
      if (!isUnderWay) latest = round()
    },
  }
  waiting.add(due)
  arm()
  return {
    async stop() {
      waiting.delete(due)
      arm()
      await latest
    },
  }
}

/** A service that does its work in rounds, by `every`. A class that extends it defines the round. */
export abstract class Repeating implements Service {
  readonly #everyMs: number
  readonly #onError: (error: unknown) => void
  #rounds: Repetition | undefined
  #isStopped = false

  /**
   * `everyMs` is the time between two rounds. `onError` is called with what a round throws; the next round comes
   * anyway.
   */
  constructor(everyMs: number, onError: (error: unknown) => void) {
    this.#everyMs = everyMs
    this.#onError = onError
  }

  /** Does the first round within `everyMs`; none if it was stopped already. */
  async start(): Promise<void> {
    if (this.#isStopped) return
    this.#rounds ??= every(this.#everyMs, (lateMs) => this.round(lateMs), this.#onError)
  }

  /** Does no further round; resolves once the round under way has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#rounds?.stop()
  }

  /** Whether `stop` was called: a long round should end early. */
  protected get isStopped(): boolean {
    return this.#isStopped
  }

  /** One round; the timer was late by `lateMs` milliseconds at most. */
  abstract round(lateMs: number): void | Promise<void>
}

/** A part of long work, after which other work goes on. */
export class WorkSlice {
  readonly #mostMs: number
  #sinceMs = performance.now()

  /** It begins now, and is over after more than `mostMs` milliseconds. */
  constructor(mostMs: number) {
    this.#mostMs = mostMs
  }

  /** Whether it has taken long enough. */
  get isOver(): boolean {
    return performance.now() - this.#sinceMs > this.#mostMs
  }

  /** Lets other work go on, and begins the next slice. */
  async next(): Promise<void> {
    await new Promise(setImmediate)
    this.#sinceMs = performance.now()
  }
}

/** Stops all services, even if one of them fails; `onError` is called with each failure. */
export async function stopAll(
  services: readonly Service[],
  onError: (error: unknown) => void,
): Promise<void> {
  for (const result of await Promise.allSettled(services.map((service) => service.stop()))) {
    if (result.status === "rejected") onError(result.reason)
  }
}

/** Whether a promise is over within this many milliseconds. @throws what it rejects with by then */
export async function within(ms: number, over: Promise<unknown> | undefined): Promise<boolean> {
  const late = Promise.withResolvers<boolean>()
  const timer = setTimeout(late.resolve, ms, false)
  try {
    return await Promise.race([Promise.resolve(over).then(() => true), late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** What a function throws; undefined if it does not. */
export async function failureOf(run: () => Promise<void>): Promise<{ readonly error: unknown } | undefined> {
  try {
    await run()
    return undefined
  } catch (error) {
    return { error }
  }
}
