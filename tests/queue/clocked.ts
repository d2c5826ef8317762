import { join } from "node:path"

import { LocalBus } from "../../src/bus/bus.ts"
import { Reasons } from "../../src/degraded-reasons.ts"
import type { QueueItem } from "../../src/item/item.ts"
import { Metrics } from "../../src/metrics/metrics.ts"
import { RefuseWhenFull } from "../../src/queue/refuse-when-full.ts"
import { assembled } from "../../src/serve/composition-root.ts"
import { protectionOf } from "../../src/serve/first-token.ts"
import { serveSettings } from "../../src/settings/read-settings.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import type { WorkersAnswer } from "../../src/wire/answers.ts"
import { START_MS } from "../contracts/store.contract.ts"
import { temporaryFolder } from "../server.ts"

/** No request is refused for its frequency while the clock stands still. */
const UNLIMITED = { "requests-per-address": "0", "reports-per-lease": "0" }

/** The answer to a worker. */
interface Said {
  readonly item?: QueueItem
  readonly lease?: { readonly token: string }
  readonly updates?: readonly QueueItem[]
  readonly workers?: WorkersAnswer["workers"]
}

/** The whole server, with clocks that stand still until the test moves them. No timer runs in it. */
export class ClockedServer implements AsyncDisposable {
  /** The steady clock, in seconds since the server's first start. */
  seconds = 0
  /** How far the machine's time is from the steady clock, in milliseconds. */
  jumpedMs = 0
  /** Where it answers. */
  url = ""
  readonly #folder = temporaryFolder()
  readonly #limits: Readonly<Record<string, string>>
  #end = async (): Promise<void> => undefined

  private constructor(limits: Readonly<Record<string, string>>) {
    this.#limits = limits
  }

  /** The database's time, in epoch milliseconds. */
  get nowMs(): number {
    return this.#steadyMs + this.jumpedMs
  }

  get #steadyMs(): number {
    return START_MS + Math.round(this.seconds * 1000)
  }

  /** `limits` are settings; by default nothing is limited. */
  static async start(limits: Readonly<Record<string, string>> = UNLIMITED): Promise<ClockedServer> {
    const server = new ClockedServer(limits)
    await server.begin()
    return server
  }

  /** Starts it on its former database. */
  async begin(): Promise<void> {
    const database = join(this.#folder.path, "test.db")
    const clock = { now: () => this.nowMs, steadyMs: () => this.#steadyMs }
    const store = new SqliteStore(database, () => clock, { isNewAllowed: true })
    const settings = serveSettings({ database, ...this.#limits }, {})
    const bus = new LocalBus()
    const surroundings = { bus, services: [], reasons: new Reasons(), metrics: new Metrics() }
    const { app } = assembled(settings, store, protectionOf(settings, store), {
      ...surroundings,
      room: new RefuseWhenFull(),
      onReplaced: () => undefined,
    })
    app.listen({ hostname: "127.0.0.1", port: 0 })
    this.url = `http://127.0.0.1:${app.server?.port}`
    this.#end = async () => {
      await app.server?.stop(true)
      await store.close()
    }
  }

  /** Ends it. To its clients this looks like a crash. */
  end(): Promise<void> {
    return this.#end()
  }

  /** Sends a request. Returns the JSON of the answer; throws if the request is refused. */
  async ask(method: string, path: string, body?: object, lease = ""): Promise<Said & QueueItem> {
    const answer = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: { "content-type": "application/json", ...(lease !== "" && { lease }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return await answer.json()
  }

  /** Sends an output as it comes, with a lease. */
  pour(path: string, output: ReadableStream<Uint8Array>, lease: string): Promise<Response> {
    return fetch(`${this.url}/api/v1${path}`, { method: "POST", headers: { lease }, body: output })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end()
    this.#folder[Symbol.dispose]()
  }
}
