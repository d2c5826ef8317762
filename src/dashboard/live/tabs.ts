import type { FromHub, ToHub } from "../model/hub-messages.ts"
import type { ListName } from "../model/lists.ts"
import { Hub } from "./hub.ts"
import { ownToken } from "./token.ts"

const TICK_MS = 500
/**
 * The hub sends a message every 2 s. If the worker of a visible tab is silent for this many ticks, it is
 * dead.
 */
const SILENT_TICKS = 16
/** How long a hidden tab keeps its own stream. */
const HIDDEN_MS = 300_000

/** The holder of the stream for this tab: a worker that all tabs share, or the tab itself. */
export type Holder = "worker" | "tab"

declare global {
  var trustedTypes:
    | {
        /** What the policy creates is accepted wherever a script's address is accepted. */
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

/** One connection to a hub. */
interface Way {
  readonly holder: Holder
  readonly send: (message: ToHub) => void
  readonly close: () => void
}

/** The hub in the SharedWorker of this browser. The worker and the tab run the same script. */
function throughWorker(hear: (message: FromHub) => void): Way {
  const worker = new SharedWorker(policy.createScriptURL(import.meta.url), {
    type: "module",
    name: ownToken() ?? "",
  })
  worker.port.addEventListener("message", ({ data }: MessageEvent<FromHub>) => hear(data))
  worker.port.start()
  const send = (message: ToHub): void => worker.port.postMessage(message)
  return {
    holder: "worker",
    send,
    close: () => {
      send({ type: "bye" })
      worker.port.close()
    },
  }
}

/**
 * A hub that belongs to this tab alone. While the tab is hidden for long it has no stream; later the stream
 * resumes at the same place.
 */
function inThisTab(hear: (message: FromHub) => void): Way {
  const hub = new Hub(hear)
  let timer: ReturnType<typeof setTimeout> | undefined
  return {
    holder: "tab",
    send: (message) => {
      clearTimeout(timer)
      if ("visible" in message && message.visible) hub.wake()
      else if ("visible" in message) timer = setTimeout(() => hub.pause(), HIDDEN_MS)
      hub.receive("this", message)
    },
    close: () => {
      clearTimeout(timer)
      hub.close()
    },
  }
}

/**
 * This tab's connection to the hub. Browsers allow six connections to a host over all tabs, so all tabs share
 * one stream, in a SharedWorker. If there is no SharedWorker, a tab has its own stream.
 */
export class HubLine {
  readonly #hear: (message: FromHub) => void
  #way: Way
  #silentTicks = 0

  /** `hear` receives the messages of the hub. */
  constructor(hear: (message: FromHub) => void) {
    this.#hear = (message) => {
      this.#silentTicks = 0
      hear(message)
    }
    this.#way = this.#open(typeof SharedWorker === "function" ? throughWorker : inThisTab)
    setInterval(() => this.#watch(), TICK_MS)
    document.addEventListener("visibilitychange", () =>
      this.#way.send({ type: "visible", visible: isVisible() }),
    )
    addEventListener("pagehide", () => this.#way.close())
    addEventListener("pageshow", (event: Event) => {
      if (!(event instanceof PageTransitionEvent && event.persisted)) return
      this.#way = this.#open(this.#way.holder === "worker" ? throughWorker : inThisTab)
    })
    addEventListener("online", () => this.retry())
  }

  /** What holds the stream now. */
  get holder(): Holder {
    return this.#way.holder
  }

  /** Makes the next attempt now. */
  retry(): void {
    this.#way.send({ type: "retry" })
  }

  /** Requests the figures of the queue, which have changed without an update. */
  count(): void {
    this.#way.send({ type: "count" })
  }

  /** Requests more of a list than is known. */
  more(list: ListName): void {
    this.#way.send({ type: "more", list })
  }

  #open(make: (hear: (message: FromHub) => void) => Way): Way {
    const way = make(this.#hear)
    way.send({ type: "hello", visible: isVisible() })
    return way
  }

  #watch(): void {
    this.#silentTicks = this.#way.holder === "worker" && isVisible() ? this.#silentTicks + 1 : 0
    if (this.#silentTicks < SILENT_TICKS) return
    // The worker could not be started, or has died.
    this.#way.close()
    this.#way = this.#open(inThisTab)
  }
}
