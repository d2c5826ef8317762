import { Client, type Held } from "../../src/client/client.ts"
import { blank } from "../../src/item/blank-item.ts"
import { Reporter, type ReporterOptions } from "../../src/runner/reporter.ts"

/** The item of the worker. */
export const ITEM = { id: 7, ...blank(1, "2026-01-02T03:04:05.678Z"), status: "processing" } as const
/** The lease of a second claim. */
export const LEASE = { token: "second", expires_at: ITEM.queued_at, renew_every: 20 }
/** The lease of the first claim. */
export const FIRST: Held = { id: 7, token: "first" }
const ERROR = { error: "refused by the test", request_id: "r" }

/** A request of a worker, as a server gets it. */
export interface Asked {
  readonly verb: string
  readonly token: string
  /** How long the answer may be held, in seconds; null if the request does not say it. */
  readonly wait: string | null
  readonly body: { readonly message?: string; readonly outer?: boolean }
}

type Answer = (asked: Asked) => Response | Promise<Response>

/** The answer of a server to a worker that must go on. */
export const ok = (): Response => Response.json({ directive: "continue", item: ITEM })
/** A refusal of a server. */
export const refusal = (status: number, code: string): Response =>
  Response.json({ ...ERROR, code }, { status })

/** A server that answers workers as the test decides, and a reporter that reports to it. */
export class Scene implements AsyncDisposable {
  readonly asked: Asked[] = []
  readonly said: string[] = []
  /** Why the work was cancelled, and whether it must end at once. */
  readonly cancelled: string[] = []
  readonly reporter: Reporter
  #changed: () => void = () => undefined
  readonly #server: ReturnType<typeof Bun.serve>

  /**
   * `first` gets the item at the beginning; by default the item is there. `more` replaces options of the
   * reporter.
   */
  constructor(
    answer: Answer,
    first: () => Promise<Held> = async () => FIRST,
    more: Partial<ReporterOptions> = {},
  ) {
    this.#server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: async (request) => {
        const { pathname, searchParams } = new URL(request.url)
        const verb = pathname.split("/").at(-1) ?? ""
        const text = await request.text()
        const body = request.headers.get("content-type") === "application/json" ? JSON.parse(text) : {}
        const token = request.headers.get("lease") ?? ""
        const asked: Asked = { verb, token, wait: searchParams.get("wait"), body }
        const answered = await answer(asked)
        this.asked.push(asked)
        this.#changed()
        return answered
      },
    })
    const client = new Client(`http://127.0.0.1:${this.#server.port}`)
    const options = {
      client,
      worker: "box1",
      leaseS: 60,
      say: (text: string) => {
        this.said.push(text)
        this.#changed()
      },
      onCancel: (reason: string, isTaken: boolean) => {
        this.cancelled.push(isTaken ? `${reason}, at once` : reason)
        this.#changed()
      },
    }
    this.reporter = new Reporter({ ...options, ...more }, first)
  }

  /** The requests of one kind that were answered. */
  of(verb: string): Asked[] {
    return this.asked.filter((one) => one.verb === verb)
  }

  /** Resolves when `fits` is true for the answered requests. */
  async until(fits: () => boolean): Promise<void> {
    while (!fits()) await new Promise<void>((resolve) => (this.#changed = resolve))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reporter.finish(undefined, 0, AbortSignal.abort())
    await this.#server.stop(true)
  }
}

/** The messages of reports, in order. */
export const messages = (all: readonly Asked[]): (string | undefined)[] => all.map(({ body }) => body.message)
