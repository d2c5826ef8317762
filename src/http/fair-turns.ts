/** The name of all callers to whom no limit applies, where they have to wait. */
export const UNLIMITED = ""

/**
 * The requests of a client may take this long in one tick of the event loop. Then the other clients have
 * their turns.
 */
const MOST_MS = 1

/**
 * The requests of a client that is alone may take this long in one tick. Another client that comes meanwhile waits no
 * longer than that. In this time a client opens some 400 streams.
 */
const MOST_ALONE_MS = 20

/**
 * When the requests of a client have taken longer than their part of a tick, no waiting request continues for so long,
 * unless the client is alone. A write needs several ticks, and would otherwise meet a long request of a greedy client in
 * each of them.
 */
const REST_MS = 2

/** A client is alone if no other client has sent a request for this long, and none has anything open or under way. */
const ALONE_AFTER_MS = 5000

/** A client that has sent a request in this tick, or whose requests wait. */
interface ClientInTick {
  readonly name: string
  /** How long its requests may take in this tick, in milliseconds. */
  mostMs: number
  /** How long the client's requests have taken in this tick, in milliseconds. */
  spentMs: number
  /** How long one of the client's requests takes, as measured so far, in milliseconds. */
  eachMs: number
  /** The functions that continue its waiting requests: those that have begun first, then the oldest. */
  readonly waiting: (() => void)[]
}

/**
 * Lets clients take turns at the event loop: a client that sends very many requests at once,
 * though within all limits, does not make other clients wait. The cost of a request is not known in advance,
 * so the time is measured from when the request continues until the next one comes. A client that is alone
 * seldom waits: each wait costs the server some 10 us, a fifth of what it takes to open a stream.
 */
export class FairTurns {
  /** The clients whose requests wait, in the order of their turns, and those with requests in this tick. */
  readonly #clients = new Map<string, ClientInTick>()
  /** The client whose requests continued last, how many of them at once, and when; undefined once that is counted. */
  #latest: ClientInTick | undefined
  #latestCount = 0
  #latestSinceMs = 0
  #isTickDue = false
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
    // Most requests come from the client of the request before, in the same tick.
    const client = this.#latest?.name === name ? this.#latest : this.#clientOf(name, nowMs)
    this.#settle(nowMs)
    this.#tickLater()
    if (client.waiting.length > 0 || client.spentMs >= client.mostMs) {
      return new Promise((resolve) => void client.waiting.push(resolve))
    }
    this.#go(client, 1, nowMs)
    return undefined
  }

  /**
   * Call it when a request of this client has done a part of its work. The promise resolves in a later tick in which it
   * may go on: before those of the client that have not begun, so that no more than a few are half done.
   */
  goOn(name: string | undefined): Promise<void> | undefined {
    if (name === undefined) return undefined
    const client = this.#clientOf(name, performance.now())
    this.#tickLater()
    return new Promise((resolve) => void client.waiting.unshift(resolve))
  }

  #isAlone(name: string, nowMs: number): boolean {
    // A search of another one, which sent its request long ago, may take many ticks.
    const isOtherHere = this.#clients.size > (this.#clients.has(name) ? 1 : 0)
    return !isOtherHere && nowMs - this.#sharedMs >= ALONE_AFTER_MS && !this.#haveOthers(name)
  }

  #mostMs(name: string, nowMs: number): number {
    return this.#isAlone(name, nowMs) ? MOST_ALONE_MS : MOST_MS
  }

  #clientOf(name: string, nowMs: number): ClientInTick {
    const known = this.#clients.get(name)
    if (known) return known
    const mostMs = this.#mostMs(name, nowMs)
    const client = { name, mostMs, spentMs: 0, eachMs: MOST_MS, waiting: [] }
    this.#clients.set(name, client)
    return client
  }

  #go(client: ClientInTick, count: number, nowMs: number): void {
    this.#latest = client
    this.#latestCount = count
    this.#latestSinceMs = nowMs
  }

  #settle(nowMs: number): void {
    const client = this.#latest
    if (!client) return
    const tookMs = nowMs - this.#latestSinceMs
    client.spentMs += tookMs
    client.eachMs = (client.eachMs + tookMs / this.#latestCount) / 2
    this.#latest = undefined
  }

  #tickLater(): void {
    if (this.#isTickDue) return
    this.#isTickDue = true
    setImmediate(() => this.#restOrTick())
  }

  #restOrTick(): void {
    const client = this.#latest
    const nowMs = performance.now()
    this.#settle(nowMs)
    const isTooLong = client !== undefined && client.spentMs > client.mostMs
    if (isTooLong && !this.#isAlone(client.name, nowMs)) setTimeout(() => this.#tick(), REST_MS)
    else this.#tick()
  }

  /** All requests that had come were handled. Now one of the waiting clients continues. */
  #tick(): void {
    this.#isTickDue = false
    const nowMs = performance.now()
    this.#settle(nowMs)
    let next: ClientInTick | undefined
    for (const [name, client] of this.#clients) {
      if (client.waiting.length === 0) {
        this.#clients.delete(name)
        continue
      }
      client.spentMs = 0
      client.mostMs = this.#mostMs(name, nowMs)
      next ??= client
    }
    if (!next) return
    // The client goes to the end of the line.
    this.#clients.delete(next.name)
    this.#clients.set(next.name, next)
    const going = next.waiting.splice(0, Math.max(1, Math.floor(next.mostMs / next.eachMs)))
    this.#go(next, going.length, nowMs)
    this.#tickLater()
    for (const go of going) go()
  }
}
