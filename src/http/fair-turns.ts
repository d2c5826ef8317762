/**
 * The requests of a client may take this long in one turn of the event loop. Then the other clients have
 * their turns.
 */
const MOST_MS = 1

/**
 * The requests of a client that is alone may take this long in one turn. Another client that comes meanwhile waits no
 * longer than that. In this time a client opens some 400 streams.
 */
const MOST_ALONE_MS = 20

/** A client is alone if no other client has sent a request for this long, and none has anything open. */
const ALONE_AFTER_MS = 5000

/** A client that has sent a request in this turn, or whose requests wait. */
interface Client {
  /** How long the client's requests have taken in this turn, in milliseconds. */
  spentMs: number
  /** How long one of the client's requests takes, as measured so far, in milliseconds. */
  eachMs: number
  /** The functions that continue its waiting requests, the oldest first. */
  readonly waiting: (() => void)[]
}

/**
 * Shares the turns of the event loop fairly among clients: a client that sends very many requests at once,
 * though within all limits, does not make other clients wait. The cost of a request is not known in advance,
 * so the time is measured from when the request continues until the next one comes. A client that is alone
 * seldom waits: each wait costs the server some 10 us, a fifth of what it takes to open a stream.
 */
export class FairTurns {
  /** The clients whose requests wait, in the order of their turns. */
  readonly #clients = new Map<string, Client>()
  /** The client whose requests continued last, how many of them at once, and when. */
  #latest: { readonly client: Client; readonly count: number; readonly sinceMs: number } | undefined
  #isTurnDue = false
  /** The client that sent the latest request; null before the first. */
  #latestName: string | undefined | null = null
  /** When a request came from another client than the request before. */
  #sharedMs = -Infinity
  readonly #haveOthers: (name: string) => boolean

  /** `haveOthers` returns whether other clients than this one have anything open: a stream, or an answer that is held. */
  constructor(haveOthers: (name: string) => boolean) {
    this.#haveOthers = haveOthers
  }

  /** Call it for each request, also for those that never wait. */
  heard(name: string | undefined): void {
    if (name === this.#latestName) return
    if (this.#latestName !== null) this.#sharedMs = performance.now()
    this.#latestName = name
  }

  /**
   * Undefined if a request of this client may go on at once; otherwise a promise that resolves when it may.
   */
  wait(name: string | undefined): Promise<void> | undefined {
    if (name === undefined) return undefined
    const nowMs = performance.now()
    this.#settle(nowMs)
    this.#turnLater()
    const client = this.#clientOf(name)
    if (client.waiting.length > 0 || client.spentMs >= this.#mostMs(name, nowMs)) {
      return new Promise((resolve) => void client.waiting.push(resolve))
    }
    this.#latest = { client, count: 1, sinceMs: nowMs }
    return undefined
  }

  #mostMs(name: string, nowMs: number): number {
    const isAlone = nowMs - this.#sharedMs >= ALONE_AFTER_MS && !this.#haveOthers(name)
    return isAlone ? MOST_ALONE_MS : MOST_MS
  }

  #clientOf(name: string): Client {
    const known = this.#clients.get(name)
    if (known) return known
    const client = { spentMs: 0, eachMs: MOST_MS, waiting: [] }
    this.#clients.set(name, client)
    return client
  }

  #settle(nowMs: number): void {
    if (!this.#latest) return
    const { client, count, sinceMs } = this.#latest
    const tookMs = nowMs - sinceMs
    client.spentMs += tookMs
    client.eachMs = (client.eachMs + tookMs / count) / 2
    this.#latest = undefined
  }

  #turnLater(): void {
    if (this.#isTurnDue) return
    this.#isTurnDue = true
    setImmediate(() => this.#turn())
  }

  /** All requests that had come were handled. Now one of the waiting clients continues. */
  #turn(): void {
    this.#isTurnDue = false
    const nowMs = performance.now()
    this.#settle(nowMs)
    let next: string | undefined
    for (const [name, client] of this.#clients) {
      client.spentMs = 0
      if (client.waiting.length === 0) this.#clients.delete(name)
      else next ??= name
    }
    const client = next === undefined ? undefined : this.#clients.get(next)
    if (next === undefined || !client) return
    // The client goes to the end of the line.
    this.#clients.delete(next)
    this.#clients.set(next, client)
    const going = client.waiting.splice(0, Math.max(1, Math.floor(this.#mostMs(next, nowMs) / client.eachMs)))
    this.#latest = { client, count: going.length, sinceMs: nowMs }
    this.#turnLater()
    for (const go of going) go()
  }
}
