/** How far apart a server's keepalives are unless it is configured otherwise. */
const KEEPALIVE_MS = 15_000
/** The furthest apart that a server can be configured to send them. */
const MAX_KEEPALIVE_MS = 52_000
/** A keepalive may be late by this much. */
const GRACE_MS = 5000
/** How long a server may take to begin its answer. */
const OPEN_MS = 10_000

/**
 * How often a server sends keepalives, learned from the ones that come. A stream may miss two of them, and 5 s.
 *
 * Until the first one has come, 15 s are assumed. If that gave up a stream to a server that then answered, the
 * assumption was perhaps wrong, and the longest possible interval is allowed until a keepalive shows the true one.
 */
export class Rhythm {
  #learnedMs: number | undefined
  #isDoubted = false

  /** How long a stream may be silent, in milliseconds. */
  get limitMs(): number {
    const everyMs = this.#learnedMs ?? (this.#isDoubted ? MAX_KEEPALIVE_MS : KEEPALIVE_MS)
    return 2 * everyMs + GRACE_MS
  }

  /** A keepalive has ended a silence of this many milliseconds. */
  learn(silentMs: number): void {
    this.#learnedMs = Math.min(MAX_KEEPALIVE_MS, Math.max(this.#learnedMs ?? 0, silentMs))
  }

  /** A stream was given up for its silence. */
  doubt(): void {
    this.#isDoubted = true
  }
}

/**
 * Listens for the browser being online again: a connection from before may be dead without knowing it, and to open
 * another loses nothing. Other runtimes have no such event. Returns what ends the listening.
 */
function onOnline(listener: () => void): () => void {
  if (typeof globalThis.addEventListener !== "function") return () => undefined
  globalThis.addEventListener("online", listener)
  return () => globalThis.removeEventListener("online", listener)
}

/** Watches one connection: its signal aborts with the caller's, after too long a silence, and when the network is back. */
export class SilenceWatch {
  /** Aborts with the reason for which the connection ends. */
  readonly signal: AbortSignal
  readonly #dead = new AbortController()
  readonly #rhythm: Rhythm
  /** Whether it was the network coming back that made it abort. */
  isNetworkBack = false
  readonly #unlisten = onOnline(() => {
    this.isNetworkBack = true
    this.#dead.abort()
  })
  #heardMs = performance.now()
  #isOpen = false
  /** Since when bytes are waited for; undefined while the caller is busy with the ones that came. */
  #sinceMs: number | undefined = this.#heardMs
  #timer: ReturnType<typeof setTimeout> | undefined

  /** `caller`: its abort ends the connection as well. */
  constructor(caller: AbortSignal | undefined, rhythm: Rhythm) {
    this.signal = caller ? AbortSignal.any([caller, this.#dead.signal]) : this.#dead.signal
    this.#rhythm = rhythm
    this.#look()
  }

  /** The answer has begun: from here on it has to keep to the rhythm. */
  opened(): void {
    this.#isOpen = true
    this.heard()
    this.#look()
  }

  /** Bytes are waited for from now on. A slow caller must not make a server look dead. */
  wait(): void {
    this.#sinceMs = performance.now()
  }

  /** Bytes have come. A keepalive that ends a silence shows how far apart keepalives are. */
  heard(isKeepalive = false): void {
    const nowMs = performance.now()
    if (isKeepalive) this.#rhythm.learn(nowMs - this.#heardMs)
    this.#heardMs = nowMs
    this.#sinceMs = undefined
    // What was learned may have made the limit shorter than the timer that runs.
    if (isKeepalive) this.#look()
  }

  /** Lets go of the timer, and of the connection. */
  end(): void {
    clearTimeout(this.#timer)
    this.#unlisten()
    this.#dead.abort()
  }

  /** Looks whether it has been silent for too long, and again when it could have been. */
  #look(): void {
    clearTimeout(this.#timer)
    const nowMs = performance.now()
    const limitMs = this.#isOpen ? this.#rhythm.limitMs : OPEN_MS
    const leftMs = (this.#sinceMs ?? nowMs) + limitMs - nowMs
    if (leftMs > 0) this.#timer = setTimeout(() => this.#look(), leftMs)
    else this.#dead.abort(this.#tooLong(limitMs))
  }

  #tooLong(limitMs: number): Error {
    if (!this.#isOpen) return new Error("the server did not answer in time")
    this.#rhythm.doubt()
    return new Error(`nothing came from the server for ${Math.round(limitMs / 1000)} s`)
  }
}

/** Waits, but no longer than until the network has come back or the signal aborts; never rejects. */
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
