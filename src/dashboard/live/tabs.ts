import type { FromHub, ToHub } from "../model/messages.ts"
import { Election, type Said } from "./election.ts"
import { Hub } from "./hub.ts"

const TICK_MS = 500
/** The hub says something every 2 s. A worker that is silent for so many ticks, in a tab in view, is dead. */
const SILENT_TICKS = 16

/** How this tab shares the browser's one stream. */
export type Way = "worker" | "leader" | "follower"

declare global {
  var trustedTypes:
    | {
        /** What the policy makes stands for text wherever a script's address is wanted. */
        createPolicy(
          name: string,
          rules: { createScriptURL: (url: string) => string },
        ): { createScriptURL: (url: string) => string }
      }
    | undefined
}

const rules = { createScriptURL: (url: string) => url }
const policy = globalThis.trustedTypes?.createPolicy("track-studio", rules) ?? rules

const isVisible = (): boolean => document.visibilityState === "visible"

/**
 * This tab's way to the hub. Browsers allow six connections a host over all tabs, so that all tabs share one stream:
 * by a SharedWorker, or where there is none, by the tab that leads. Both run this same script.
 */
export class Share {
  readonly #hear: (message: FromHub) => void
  #way: Way = "worker"
  #send: (message: ToHub) => void = () => undefined
  #close: () => void = () => undefined
  #heardMs = Date.now()
  #silentTicks = 0

  constructor(hear: (message: FromHub) => void) {
    this.#hear = (message) => {
      this.#heardMs = Date.now()
      this.#silentTicks = 0
      hear(message)
    }
    this.#open()
    setInterval(() => this.#watch(), TICK_MS)
    document.addEventListener("visibilitychange", () => {
      this.#send({ type: "visible", visible: isVisible() })
    })
    addEventListener("pagehide", () => this.#close())
    addEventListener("pageshow", (event: Event) => {
      if (event instanceof PageTransitionEvent && event.persisted) this.#open()
    })
    addEventListener("online", () => this.retry())
  }

  get way(): Way {
    return this.#way
  }

  /** When the hub was last heard of, in milliseconds of this machine's clock. */
  get heardMs(): number {
    return this.#heardMs
  }

  /** Does not wait for the next attempt. */
  retry(): void {
    this.#send({ type: "retry" })
  }

  #open(): void {
    this.#heardMs = Date.now()
    if (this.#way === "worker" && typeof SharedWorker === "function") this.#openWorker()
    else this.#openElection()
  }

  #openWorker(): void {
    const worker = new SharedWorker(policy.createScriptURL(import.meta.url), { type: "module" })
    worker.port.addEventListener("message", ({ data }: MessageEvent<FromHub>) => this.#hear(data))
    worker.port.start()
    this.#send = (message) => worker.port.postMessage(message)
    this.#close = () => {
      this.#send({ type: "bye" })
      worker.port.close()
    }
    this.#send({ type: "hello", visible: isVisible() })
  }

  #openElection(): void {
    this.#way = "follower"
    const name = crypto.getRandomValues(new Uint32Array(2)).join("-")
    // Tabs with another version of the page have another hub.
    const channel = new BroadcastChannel(`track-studio ${import.meta.url}`)
    const say = (said: Said): void => channel.postMessage(said)
    let hub: Hub | undefined
    const election = new Election(name, say, {
      lead: () => {
        this.#way = "leader"
        hub = new Hub((message, tab) => {
          const to = tab ?? null
          if (to !== name) say({ type: "hub", to, message, ...election.claim })
          if (to === null || to === name) this.#hear(message)
        })
        hub.receive(name, { type: "hello", visible: isVisible() })
      },
      resign: () => {
        this.#way = "follower"
        hub?.close()
        hub = undefined
        this.#send({ type: "hello", visible: isVisible() })
      },
    })
    this.#send = (message) => {
      if (hub) hub.receive(name, message)
      else say({ type: "tab", tab: name, message })
    }
    channel.addEventListener("message", ({ data }: MessageEvent<Said>) => {
      if (data.type === "tab") hub?.receive(data.tab, data.message)
      const { leader } = election.claim
      const counts = election.hear(data, isVisible())
      if (counts && leader !== election.claim.leader) this.#send({ type: "hello", visible: isVisible() })
      if (counts && data.type === "hub" && (data.to === null || data.to === name)) this.#hear(data.message)
    })
    const timer = setInterval(() => election.tick(isVisible()), TICK_MS)
    const leave = (): void => {
      this.#send({ type: "bye" })
      election.resign()
    }
    // A frozen tab can neither lead nor say so.
    document.addEventListener("freeze", leave)
    this.#close = () => {
      clearInterval(timer)
      leave()
      document.removeEventListener("freeze", leave)
      channel.close()
    }
  }

  #watch(): void {
    this.#silentTicks = this.#way === "worker" && isVisible() ? this.#silentTicks + 1 : 0
    if (this.#silentTicks < SILENT_TICKS) return
    // The worker could not be started, or has died: this tab finds another way.
    this.#close()
    this.#openElection()
  }
}
