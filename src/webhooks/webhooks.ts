import type { Bus } from "../bus.ts"
import type { ProgressUpdate, StoredUpdate } from "../item/item.ts"
import { isFinished } from "../item/moves.ts"
import type { Notice } from "../item/notice.ts"
import type { Attempt, Deliveries, DeliveriesQuery, Delivery } from "../store/deliveries.ts"
import type { History } from "../store/history.ts"

// Loaded at its first use: it would be a tenth of the server's start.
const nodeCrypto = (): typeof import("node:crypto") => require("node:crypto")

const TICK_MS = 250
const PAGE_UPDATES = 1024
/** Examined without anything to tell, before that is remembered: as much is read again after a crash. */
const FORGETFUL_UPDATES = 1000
/** Deliveries under way to one webhook. */
const PARALLEL = 4
const ANSWER_MS = 10_000
const FIRST_RETRY_MS = 1000
const MAX_RETRY_MS = 60 * 60_000
const RETRY_SPREAD = 0.2
/** After this long a delivery is given up. */
const PATIENCE_MS = 24 * 60 * 60_000
const GONE = 410

/** What webhooks are sent, and how. */
export interface WebhooksOptions {
  readonly urls: readonly string[]
  /** Signs what is sent; undefined for no signature. As it is, or base64 after `whsec_`. */
  readonly secret: string | undefined
  /** What the program calls itself. */
  readonly userAgent: string
  readonly now: () => number
  /** From 0 up to 1; spreads retries. */
  readonly random: () => number
  /** Told of what goes wrong on this side; it is tried again. */
  readonly report: (error: unknown) => void
  /** Told of a delivery that is given up. */
  readonly givenUp: (delivery: Delivery, error: string) => void
}

/** A delivery as the API shows it: of its URL, whose path may be a secret, only so much that one knows it. */
export interface ShownDelivery extends Omit<Delivery, "data" | "url"> {
  /** Eight digits that stand for the URL. */
  readonly webhook: string
  readonly url: string
}

const idOf = (url: string): string => nodeCrypto().createHash("sha256").update(url).digest("hex").slice(0, 8)

function shown({ data: _data, url, ...delivery }: Delivery): ShownDelivery {
  const { origin, pathname, search } = new URL(url)
  const rest = pathname === "/" && search === "" ? "/" : "/..."
  return { ...delivery, webhook: idOf(url), url: `${origin}${rest}` }
}

/** What an update is worth telling, if the one before it did not say so already. */
function noticeOf(update: StoredUpdate, before: StoredUpdate | null): Notice | null {
  if (isFinished(update.status)) {
    if (before && isFinished(before.status)) return null
    return update.status === "completed" ? "completed" : "failed"
  }
  return isStalled(update) && !(before && isStalled(before)) ? "stalled" : null
}

/** The text is looked at first: nearly all updates say nothing of it, and are not worth parsing. */
function isStalled({ data }: StoredUpdate): boolean {
  if (!data.includes('"stalled":true')) return false
  const { stalled }: ProgressUpdate = JSON.parse(data)
  return stalled === true
}

/** The headers by which a receiver knows a delivery for ours, after the Standard Webhooks specification. */
export function signature(secret: string, id: string, timestampS: number, body: string): string {
  const prefix = "whsec_"
  const key = secret.startsWith(prefix) ? Buffer.from(secret.slice(prefix.length), "base64") : secret
  return `v1,${nodeCrypto().createHmac("sha256", key).update(`${id}.${timestampS}.${body}`).digest("base64")}`
}

/**
 * Tells webhooks when an item has completed or failed, or stands still.
 *
 * It follows the history from a cursor for each URL, which is kept in the database with what is still to be sent: a
 * crash loses nothing, and may send a delivery again, under the same `webhook-id`. A delivery that fails is tried
 * again after a second, then twice as long each time, an hour at most, for a day.
 */
export class Webhooks {
  readonly #history: History
  readonly #deliveries: Deliveries
  readonly #bus: Bus
  readonly #options: WebhooksOptions
  readonly #stopped = new AbortController()
  /** Under way, by their ids. */
  readonly #sending = new Map<number, { readonly url: string; readonly over: Promise<void> }>()
  /** The URLs whose due deliveries are being read. */
  readonly #looking = new Set<string>()
  #unlisten: () => void = () => undefined
  #timer: Timer | undefined
  #ticking: Promise<void> | undefined
  #rung = true
  #cursor = 0
  #stored = 0

  constructor(history: History, deliveries: Deliveries, bus: Bus, options: WebhooksOptions) {
    this.#history = history
    this.#deliveries = deliveries
    this.#bus = bus
    this.#options = options
  }

  /** Goes on where it was; a URL that is new is told of what happens from now on. */
  async start(): Promise<void> {
    await this.#deliveries.follow(this.#options.urls)
    this.#cursor = (await this.#deliveries.cursor()) ?? 0
    this.#stored = this.#cursor
    if (this.#options.urls.length === 0) return
    this.#unlisten = this.#bus.listen(() => (this.#rung = true))
    this.#timer = setInterval(() => (this.#ticking ??= this.#tick()), TICK_MS)
  }

  /** Stops; what is under way is broken off, and sent again by the next start. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#unlisten()
    this.#stopped.abort()
    await this.#ticking
    await Promise.all([...this.#sending.values()].map(({ over }) => over))
  }

  /** A page of the deliveries, the newest first. */
  async list(query: DeliveriesQuery): Promise<{ deliveries: ShownDelivery[]; next: number | null }> {
    const { deliveries, next } = await this.#deliveries.list(query)
    return { deliveries: deliveries.map(shown), next }
  }

  async #tick(): Promise<void> {
    try {
      while (this.#rung && !this.#stopped.signal.aborted) {
        this.#rung = false
        while (await this.#read());
      }
      for (const url of this.#options.urls) await this.#sendDue(url)
    } catch (error) {
      this.#rung = true
      this.#options.report(error)
    } finally {
      this.#ticking = undefined
    }
  }

  /** Examines a page of the history; whether there is more of it. */
  async #read(): Promise<boolean> {
    const { updates, more } = await this.#history.page({ after: this.#cursor, limit: PAGE_UPDATES })
    const last = updates.at(-1)
    if (!last) return false
    const notices: { notice: Notice; update: StoredUpdate }[] = []
    for (const update of updates) {
      if (!isFinished(update.status) && !isStalled(update)) continue
      const notice = noticeOf(update, await this.#history.previous(update))
      if (notice) notices.push({ notice, update })
    }
    if (notices.length > 0 || last.id - this.#stored >= FORGETFUL_UPDATES) {
      await this.#deliveries.add(notices, last.id)
      this.#stored = last.id
    }
    this.#cursor = last.id
    return more && !this.#stopped.signal.aborted
  }

  /** Sends what is due to a URL, as far as there is room; the next one follows as soon as one is over. */
  async #sendDue(url: string): Promise<void> {
    if (this.#stopped.signal.aborted || this.#looking.has(url)) return
    this.#looking.add(url)
    try {
      // Those under way are due as well.
      const due = await this.#deliveries.due(url, 2 * PARALLEL)
      const busy = [...this.#sending.values()].filter((one) => one.url === url).length
      const free = Math.max(0, PARALLEL - busy)
      for (const delivery of due.filter(({ id }) => !this.#sending.has(id)).slice(0, free)) {
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
      this.#options.report(error)
      return
    } finally {
      this.#sending.delete(delivery.id)
    }
    await this.#sendDue(delivery.url).catch(this.#options.report)
  }

  async #attempt(delivery: Delivery): Promise<void> {
    const answer = await this.#send(delivery)
    if (this.#stopped.signal.aborted && answer.status === null) return
    const attempt = this.#outcome(delivery, answer)
    await this.#deliveries.settle(delivery.id, attempt)
    if (attempt.status === "failed") this.#options.givenUp(delivery, attempt.error)
  }

  /** Posts once; the status of the answer, or why there is none. */
  async #send(delivery: Delivery): Promise<{ status: number | null; error: string; waitMs: number }> {
    const { secret, userAgent, now } = this.#options
    const { url, data, notice, update_id } = delivery
    const history = this.#history.historyId
    const id = `${history}-${update_id}`
    const timestampS = Math.floor(now() / 1000)
    const body = `{"type":"${notice}","history":"${history}","data":{"id":${update_id},${data.slice(1)}}`
    try {
      const answer = await fetch(url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "user-agent": userAgent,
          "webhook-id": id,
          "webhook-timestamp": String(timestampS),
          ...(secret !== undefined && { "webhook-signature": signature(secret, id, timestampS, body) }),
        },
        body,
        redirect: "manual",
        signal: AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(ANSWER_MS)]),
      })
      await answer.body?.cancel()
      const waitMs = Number(answer.headers.get("retry-after")) * 1000 || 0
      return { status: answer.status, error: answer.ok ? "" : `it answered ${answer.status}`, waitMs }
    } catch (error) {
      return { status: null, error: error instanceof Error ? error.message : String(error), waitMs: 0 }
    }
  }

  #outcome(
    { attempts, created_at }: Delivery,
    { status: answer, error, waitMs }: { status: number | null; error: string; waitMs: number },
  ): Attempt {
    const { now, random } = this.#options
    if (error === "") return { status: "delivered", nextAttemptAt: null, answer, error }
    const spread = 1 + RETRY_SPREAD * (2 * random() - 1)
    const retryMs = Math.min(MAX_RETRY_MS, Math.max(waitMs, FIRST_RETRY_MS * 2 ** attempts * spread))
    const nextMs = now() + retryMs
    if (answer === GONE || nextMs > Date.parse(created_at) + PATIENCE_MS) {
      return { status: "failed", nextAttemptAt: null, answer, error }
    }
    return { status: "pending", nextAttemptAt: new Date(nextMs).toISOString(), answer, error }
  }
}
