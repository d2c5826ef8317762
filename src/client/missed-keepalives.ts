/** The keepalive interval of a server with the default configuration. */
const KEEPALIVE_MS = 15_000
/** The longest keepalive interval that a server can be configured for. */
const MAX_KEEPALIVE_MS = 52_000
/** A keepalive may be late by this much. */
const GRACE_MS = 5000
/** The words for a server that took longer than it may. */
export const LATE_ANSWER = "the server did not answer in time"
/** How long a server may take to begin its answer. */
const OPEN_MS = 10_000

/**
 * How often a server sends keepalives, learned from the keepalives that come. A stream may be silent for two
 * intervals and 5 s more.
 *
 * Until the first keepalive has come, an interval of 15 s is assumed. If a stream was ended because of its
 * silence although the server works, this assumption was perhaps wrong. Then the longest possible interval is
 * assumed until a keepalive shows the true one.
 */
export class Rhythm {
  #learnedMs: number | undefined
  #isDoubted = false

  /** How long a stream may be silent, in milliseconds. */
  get limitMs(): number {
    const everyMs = this.#learnedMs ?? (this.#isDoubted ? MAX_KEEPALIVE_MS : KEEPALIVE_MS)
    return 2 * everyMs + GRACE_MS
  }

  /** Learns from a keepalive that ended a silence of this many milliseconds. */
  learn(silentMs: number): void {
    this.#learnedMs = Math.min(MAX_KEEPALIVE_MS, Math.max(this.#learnedMs ?? 0, silentMs))
  }

  /** Notes that a stream was ended because of its silence. */
  doubt(): void {
    this.#isDoubted = true
  }
}

/**
 * Calls the listener when the browser is online again: an older connection may be dead without any sign, and
 * opening another one loses nothing. Other runtimes have no such event. Returns the function that ends the
 * listening.
 */
function onOnline(listener: () => void): () => void {
  if (typeof globalThis.addEventListener !== "function") return () => undefined
  globalThis.addEventListener("online", listener)
  return () => globalThis.removeEventListener("online", listener)
}

/**
 * Watches one connection. Its signal aborts if the caller's does, after too long a silence, and when the
 * network is back.
 */
export class MissedKeepalives {
  /** Aborts with the reason why the connection ends. */
  readonly signal: AbortSignal
  readonly #dead = new AbortController()
  readonly #rhythm: Rhythm
  /** Whether the signal aborted because the network came back. */
  isNetworkBack = false
  readonly #unlisten = onOnline(() => {
    this.isNetworkBack = true
    this.#dead.abort()
  })
  #heardMs = performance.now()
  #isOpen = false
  /** Since when the caller waits for bytes; undefined while the caller processes the bytes that came. */
  #sinceMs: number | undefined = this.#heardMs
  #timer: ReturnType<typeof setTimeout> | undefined

  /** If the signal `caller` aborts, the connection ends as well. */
  constructor(caller: AbortSignal | undefined, rhythm: Rhythm) {
    this.signal = caller ? AbortSignal.any([caller, this.#dead.signal]) : this.#dead.signal
    this.#rhythm = rhythm
    this.#look()
  }

  /** The answer has begun. From now on keepalives are expected. */
  opened(): void {
    this.#isOpen = true
    this.heard()
    this.#look()
  }

  /** The caller waits for bytes from now on. A slow caller must not make a server look dead. */
  wait(): void {
    this.#sinceMs = performance.now()
  }

  /** Bytes have come. A keepalive that ends a silence shows how far apart keepalives are. */
  heard(isKeepalive = false): void {
    const nowMs = performance.now()
    if (isKeepalive) this.#rhythm.learn(nowMs - this.#heardMs)
    this.#heardMs = nowMs
    this.#sinceMs = undefined
    // The new interval may end earlier than the timer that runs now.
    if (isKeepalive) this.#look()
  }

  /** Stops the timer and ends the connection. */
  end(): void {
    clearTimeout(this.#timer)
    this.#unlisten()
    this.#dead.abort()
  }

  /**
   * Ends the connection if it was silent for too long. Otherwise it checks again at the time when that may be
   * so.
   */
  #look(): void {
    clearTimeout(this.#timer)
    const nowMs = performance.now()
    const limitMs = this.#isOpen ? this.#rhythm.limitMs : OPEN_MS
    const leftMs = (this.#sinceMs ?? nowMs) + limitMs - nowMs
    if (leftMs > 0) this.#timer = setTimeout(() => this.#look(), leftMs)
    else this.#dead.abort(this.#tooLong(limitMs))
  }

  #tooLong(limitMs: number): Error {
    if (!this.#isOpen) return new Error(LATE_ANSWER)
    this.#rhythm.doubt()
    return new Error(`nothing came from the server for ${Math.round(limitMs / 1000)} s`)
  }
}

/** Waits until the time is over, the network has come back, or the signal aborts; never rejects. */
export const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const timer = setTimeout(done, ms)
    const unlisten = onOnline(done)
    function done(): void {
      clearTimeout(timer)
      unlisten()
      signal?.removeEventListener("abort", done)
      resolve()
    }
    signal?.addEventListener("abort", done)
  })
