import { every, type Repetition, type Service } from "../background-work.ts"
import { type Backoff, backoff } from "../backoff.ts"
import type { Bus } from "../bus/bus.ts"
import { isFinished } from "../item/moves.ts"
import type { StoredUpdate } from "../item/stored.ts"
import type { Notice } from "../item/webhook-notice.ts"
import type { Deliveries, DeliveriesQuery, Delivery, Settlement } from "../store/contract/deliveries.ts"
import type { History } from "../store/contract/history.ts"
import { post, type Reply, urlId } from "./post.ts"

const ROUND_MS = 250
const PAGE_UPDATES = 1024
/**
 * The cursor is stored after this many updates without a notice, so that after a crash at most these are
 * examined again.
 */
const UNSTORED_UPDATES = 1000
/** How many deliveries to one webhook may be under way. */
const PARALLEL = 4
/**
 * For how long a delivery is taken: longer than a receiver may take to answer, and the answer takes to be
 * stored.
 */
const TAKEN_MS = 30_000
/** 1 s after the first failure, then 2, 4, 8 s and so on up to an hour, each within 20 %. */
const RETRY: Backoff = { firstMs: 1000, mostMs: 60 * 60_000, spread: 0.2 }
/** A delivery is given up after this time. */
const PATIENCE_MS = 24 * 60 * 60_000
const GONE = 410

/** The webhooks, and how their requests are made. */
export interface WebhooksOptions {
  /** The webhooks; empty for none. */
  readonly urls: readonly string[]
  /** The key for the signatures: a text, or base64 after `whsec_`. Undefined for no signature. */
  readonly secret: string | undefined
  /** What the program calls itself, for the header User-Agent. */
  readonly userAgent: string
  /** The machine's time, in epoch milliseconds. */
  readonly now: () => number
  /** Random numbers from 0 up to 1, which spread the retries. */
  readonly random: () => number
  /** Called when the database cannot be read or written; the next round tries again. */
  readonly onError: (error: unknown) => void
  /**
   * Called after each request to a webhook, with the eight digits that identify it and the HTTP status, null if no
   * reply came; absent if it is not counted.
   */
  readonly onReply?: (webhook: string, status: number | null) => void
  /**
   * Called when a webhook begins to fail, and at the start if it failed before, with the eight digits that identify it and
   * the reason.
   */
  readonly onFailing: (webhook: string, error: string) => void
  /** Called when a webhook that failed takes a delivery again. */
  readonly onRecovered: (webhook: string) => void
  /** Called when a delivery is given up, with the reason. */
  readonly onGivenUp: (delivery: Delivery, error: string) => void
}

/** A delivery as the API shows it: the path of its URL, which may be a secret, is left out. */
export interface ShownDelivery extends Omit<Delivery, "data" | "url"> {
  /** Eight digits that stand for the URL. */
  readonly webhook: string
  /** The origin of the URL, with `/...` if there is more. */
  readonly url: string
}

/** The origin of a URL, with `/...` if there is more. */
function shownUrl(url: string): string {
  const { origin, pathname, search } = new URL(url)
  return `${origin}${pathname === "/" && search === "" ? "/" : "/..."}`
}

const shownDelivery = ({ data: _data, url, ...delivery }: Delivery): ShownDelivery => ({
  ...delivery,
  webhook: urlId(url),
  url: shownUrl(url),
})

/** The notice for an update; null if there is none, or if the update before it said the same. */
function noticeOf(update: StoredUpdate, before: StoredUpdate | null): Notice | null {
  if (isFinished(update.status)) {
    if (before && isFinished(before.status)) return null
    return update.status === "completed" ? "completed" : "failed"
  }
  return isStalled(update) && !(before && isStalled(before)) ? "stalled" : null
}

/** The text is searched and not parsed: in a title or message, the quotation marks would be escaped. */
const isStalled = (update: StoredUpdate): boolean => update.data.includes('"stalled":true')

/**
 * Calls webhooks when an item completes, fails or stalls.
 *
 * It follows the history from a cursor for each URL, stored in the database together with the deliveries that are still
 * to be sent: a crash loses nothing, and may send a delivery again under the same `webhook-id`. A delivery that fails
 * is tried again (`RETRY`) for a day.
 */
export class Webhooks implements Service {
  readonly #history: History
  readonly #deliveries: Deliveries
  readonly #bus: Bus
  readonly #options: WebhooksOptions
  readonly #stopped = new AbortController()
  /** The deliveries under way, by their ids. */
  readonly #sending = new Map<number, { readonly url: string; readonly over: Promise<void> }>()
  /** The URLs whose last delivery failed, each with the ID of that delivery. */
  readonly #failing = new Map<string, number>()
  /** The URLs whose due deliveries are being read. */
  readonly #looking = new Set<string>()
  #unlisten: () => void = () => undefined
  #rounds: Repetition | undefined
  #rung = true
  #cursor = 0
  #stored = 0

  constructor(history: History, deliveries: Deliveries, bus: Bus, options: WebhooksOptions) {
    this.#history = history
    this.#deliveries = deliveries
    this.#bus = bus
    this.#options = options
  }

  /** The webhooks whose last delivery failed, each as the eight digits that identify it and its URL without the path. */
  get failing(): readonly string[] {
    return [...this.#failing.keys()].map((url) => `${urlId(url)} ${shownUrl(url)}`)
  }

  /** Continues from the stored cursors. A new URL is called for events from now on. */
  async start(): Promise<void> {
    await this.#deliveries.follow(this.#options.urls)
    for (const url of this.#options.urls) {
      const failing = await this.#deliveries.failing(url)
      if (failing) this.#watch(failing, failing.error)
    }
    this.#cursor = (await this.#deliveries.cursor()) ?? 0
    this.#stored = this.#cursor
    if (this.#options.urls.length === 0 || this.#stopped.signal.aborted) return
    this.#unlisten = this.#bus.listen(() => (this.#rung = true))
    this.#rounds = every(ROUND_MS, () => this.#round(), this.#options.onError)
  }

  /** Stops. Requests under way are ended, and sent again after the next start. */
  async stop(): Promise<void> {
    this.#unlisten()
    this.#stopped.abort()
    await this.#rounds?.stop()
    await Promise.all([...this.#sending.values()].map(({ over }) => over))
  }

  /** A page of the deliveries, the newest first. */
  async list(query: DeliveriesQuery): Promise<{ deliveries: ShownDelivery[]; next: number | null }> {
    const { deliveries, next } = await this.#deliveries.list(query)
    return { deliveries: deliveries.map(shownDelivery), next }
  }

  async #round(): Promise<void> {
    try {
      while (this.#rung && !this.#stopped.signal.aborted) {
        this.#rung = false
        while (await this.#read());
      }
    } catch (error) {
      this.#rung = true
      throw error
    }
    for (const url of this.#options.urls) await this.#sendDue(url)
    for (const [url, id] of this.#failing) await this.#lookAgain(url, id)
  }

  /** Looks whether another instance has sent the delivery that failed here. */
  async #lookAgain(url: string, id: number): Promise<void> {
    const [delivery] = (await this.#deliveries.list({ limit: 1, before: id + 1 })).deliveries
    // Meanwhile a later one may have failed here.
    if (delivery?.status === "delivered" && delivery.id === this.#failing.get(url)) this.#recovered(url)
  }

  /** Examines a page of the history; returns whether there is more of it. */
  async #read(): Promise<boolean> {
    const { updates, more } = await this.#history.page({ after: this.#cursor, limit: PAGE_UPDATES })
    const [first, last] = [updates[0], updates.at(-1)]
    // At the head event IDs have no gaps, so a jump can mean that the database lost some updates.
    const isStrange = first === undefined || first.id > this.#cursor + 1
    if (isStrange && (await this.#goBack())) return true
    if (!last) return false
    const notices: { notice: Notice; update: StoredUpdate }[] = []
    for (const update of updates) {
      if (!isFinished(update.status) && !isStalled(update)) continue
      const notice = noticeOf(update, await this.#history.previous(update))
      if (notice) notices.push({ notice, update })
    }
    if (notices.length > 0 || last.id - this.#stored >= UNSTORED_UPDATES) {
      await this.#deliveries.add(notices, last.id)
      this.#stored = last.id
    }
    this.#cursor = last.id
    return more && !this.#stopped.signal.aborted
  }

  /**
   * Goes back to the stored cursor if the database has lost what was stored since, and deliveries with it, as when a
   * standby that was late has taken over. Returns whether it has.
   */
  async #goBack(): Promise<boolean> {
    const cursor = await this.#deliveries.cursor()
    if (cursor === null || cursor >= this.#stored) return false
    this.#cursor = cursor
    this.#stored = cursor
    return true
  }

  /**
   * Sends the due deliveries of a URL, as many as may be under way. The next one follows as soon as one has
   * ended.
   */
  async #sendDue(url: string): Promise<void> {
    if (this.#stopped.signal.aborted || this.#looking.has(url)) return
    this.#looking.add(url)
    try {
      const free = PARALLEL - [...this.#sending.values()].filter((one) => one.url === url).length
      if (free <= 0) return
      for (const delivery of await this.#deliveries.take(url, free, TAKEN_MS)) {
        this.#sending.set(delivery.id, { url, over: this.#deliver(delivery) })
      }
    } finally {
      this.#looking.delete(url)
    }
  }

  async #deliver(delivery: Delivery): Promise<void> {
    try {
      await this.#attempt(delivery)
    } catch (error) {
      this.#options.onError(error)
      // The result of the delivery could not be stored, so it is sent again.
      await this.#deliveries.giveBack(delivery.id).catch(this.#options.onError)
      return
    } finally {
      this.#sending.delete(delivery.id)
    }
    await this.#sendDue(delivery.url).catch(this.#options.onError)
  }

  async #attempt(delivery: Delivery): Promise<void> {
    const { signal } = this.#stopped
    const reply = await post(delivery, { ...this.#options, historyId: this.#history.historyId, signal })
    if (signal.aborted && reply.status === null) return this.#deliveries.giveBack(delivery.id)
    this.#options.onReply?.(urlId(delivery.url), reply.status)
    this.#watch(delivery, reply.error)
    const settlement = this.#settlement(delivery, reply)
    await this.#deliveries.settle(delivery.id, settlement)
    if (settlement.status === "failed") this.#options.onGivenUp(delivery, settlement.error)
  }

  #watch({ id, url }: Pick<Delivery, "id" | "url">, error: string): void {
    if (error === "") return this.#recovered(url)
    const isNew = !this.#failing.has(url)
    this.#failing.set(url, id)
    if (isNew) this.#options.onFailing(urlId(url), error)
  }

  #recovered(url: string): void {
    if (this.#failing.delete(url)) this.#options.onRecovered(urlId(url))
  }

  #settlement({ attempts, created_at }: Delivery, { status: answer, error, waitMs }: Reply): Settlement {
    const { now, random } = this.#options
    if (error === "") return { status: "delivered", nextAttemptAt: null, answer, error }
    const retryMs = Math.max(Math.min(waitMs, RETRY.mostMs), backoff(RETRY, attempts, random))
    const nextMs = now() + retryMs
    // A delivery from the future was made while the clock was wrong, so nobody knows for how long it has been
    // tried.
    const isOver = Math.abs(nextMs - Date.parse(created_at)) > PATIENCE_MS
    if (answer === GONE || isOver) {
      return { status: "failed", nextAttemptAt: null, answer, error }
    }
    return { status: "pending", nextAttemptAt: new Date(nextMs).toISOString(), answer, error }
  }
}
