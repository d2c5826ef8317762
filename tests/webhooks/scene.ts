import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import type { Deliveries, Settlement } from "../../src/store/contract/deliveries.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { Webhooks } from "../../src/webhooks/webhooks.ts"
import { added, put, START_MS } from "../contracts/store.contract.ts"
import { temporaryFolder } from "../server.ts"

/** A receiver that answers as the test decides, and counts. */
export class Receiver implements Disposable {
  /** The IDs of the requests that it got, in order. */
  readonly ids: string[] = []
  /** The requests and their bodies, in order. */
  readonly requests: { readonly headers: Headers; readonly body: string }[] = []
  answer: () => Response | Promise<Response> = () => new Response("ok")
  #changed: () => void = () => undefined
  readonly #server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      this.requests.push({ headers: request.headers, body: await request.text() })
      this.ids.push(request.headers.get("webhook-id") ?? new URL(request.url).pathname)
      this.#changed()
      return this.answer()
    },
  })

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}/hook`
  }

  /** Resolves when it has got this many requests. */
  async asked(times: number): Promise<void> {
    while (this.ids.length < times) await new Promise<void>((resolve) => (this.#changed = resolve))
  }

  [Symbol.dispose](): void {
    void this.#server.stop(true)
  }
}

/** Webhooks of a store whose deliveries the test may disturb, with a clock that the test moves. */
export class Scene implements AsyncDisposable {
  readonly receiver = new Receiver()
  readonly #folder = temporaryFolder()
  readonly errors: unknown[] = []
  readonly givenUp: string[] = []
  /** What was reported about the receiver: that it fails, and that it no longer does. */
  readonly told: string[] = []
  readonly settlements: Settlement[] = []
  readonly store: SqliteStore
  readonly bus = new LocalBus()
  readonly webhooks: Webhooks
  #nowMs = START_MS
  #settled: () => void = () => undefined

  constructor(
    disturb: (deliveries: Deliveries) => Partial<Deliveries> = () => ({}),
    others: readonly Receiver[] = [],
    secret?: string,
    onReply: (status: number | null) => void = () => undefined,
  ) {
    const path = join(this.#folder.path, "test.db")
    const now = (): number => this.#nowMs
    this.store = new SqliteStore(path, () => ({ now, steadyMs: now }))
    const { deliveries } = this.store
    const disturbed = disturb(deliveries)
    const faulty: Deliveries = {
      follow: (urls) => deliveries.follow(urls),
      cursor: () => deliveries.cursor(),
      take: disturbed.take ?? ((url, limit, forMs) => deliveries.take(url, limit, forMs)),
      giveBack: (id) => deliveries.giveBack(id),
      failing: (url) => deliveries.failing(url),
      standing: () => deliveries.standing(),
      list: disturbed.list ?? ((query) => deliveries.list(query)),
      add: disturbed.add ?? ((notices, upTo) => deliveries.add(notices, upTo)),
      settle: async (id, settlement) => {
        await (disturbed.settle ?? deliveries.settle.bind(deliveries))(id, settlement)
        this.settlements.push(settlement)
        this.#settled()
      },
    }
    this.webhooks = new Webhooks(this.store, faulty, this.bus, {
      urls: [this.receiver, ...others].map(({ url }) => url),
      secret,
      userAgent: "test",
      now: () => this.#nowMs,
      random: () => 0.5,
      onError: (error) => this.errors.push(error),
      onReply: (_, status) => onReply(status),
      onFailing: () => void this.told.push("failing"),
      onRecovered: () => void this.told.push("recovered"),
      onGivenUp: (_, error) => this.givenUp.push(error),
    })
  }

  start(): Promise<void> {
    return this.webhooks.start()
  }

  stop(): Promise<void> {
    return this.webhooks.stop()
  }

  /** Fails an item. */
  async fail(): Promise<void> {
    const id = await added(this.store)
    await put(this.store, id, { status: "failed" })
    this.ring()
  }

  ring(): void {
    this.bus.notify()
  }

  pass(ms: number): void {
    this.#nowMs += ms
  }

  /** Resolves when this many requests were settled. */
  async settled(times: number): Promise<Settlement> {
    while (this.settlements.length < times) await new Promise<void>((resolve) => (this.#settled = resolve))
    const last = this.settlements[times - 1]
    if (!last) throw new Error("nothing was settled")
    return last
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.webhooks.stop()
    await this.store.close()
    this.receiver[Symbol.dispose]()
    this.#folder[Symbol.dispose]()
  }
}
