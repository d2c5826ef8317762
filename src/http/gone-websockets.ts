/** One open connection. */
export interface Peer {
  /** Asks the peer for a sign of life. */
  ask(): void
  /** Ends the connection at once. */
  cut(): void
}

/** How long a peer may give no sign of life, in milliseconds. */
export interface AllowedSilence {
  /** After this time the server asks the peer for a sign of life, and repeats that. */
  readonly askAfterMs: number
  /** After this time the connection is cut, at most a quarter of `askAfterMs` late. */
  readonly cutAfterMs: number
}

/**
 * Notices peers that are gone without closing their connection. The server's own idle timer does not notice
 * them, because it starts again whenever something is sent, and streams send keepalives.
 */
export class GoneWebsockets {
  readonly #allowedSilence: AllowedSilence
  /** When each peer was last heard, in milliseconds of `performance.now()`. */
  readonly #heardMs = new Map<Peer, number>()
  #timer: Timer | undefined

  constructor(allowedSilence: AllowedSilence) {
    this.#allowedSilence = allowedSilence
  }

  /** Notes that the peer has connected or has given a sign of life. */
  heard(peer: Peer): void {
    this.#heardMs.set(peer, performance.now())
    this.#timer ??= setInterval(() => this.#look(), this.#allowedSilence.askAfterMs / 4)
  }

  /** Notes that the connection has ended. */
  forget(peer: Peer): void {
    this.#heardMs.delete(peer)
    if (this.#heardMs.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #look(): void {
    const { askAfterMs, cutAfterMs } = this.#allowedSilence
    const nowMs = performance.now()
    for (const [peer, heardMs] of [...this.#heardMs]) {
      if (nowMs - heardMs >= cutAfterMs) peer.cut()
      else if (nowMs - heardMs >= askAfterMs) peer.ask()
    }
  }
}
