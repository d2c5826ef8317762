import { API } from "../http/api.ts"
import type { Answered } from "../http/request-counts.ts"
import type { Service } from "../service.ts"

/** A server of which nothing was asked for so long after its start is at rest. */
const REST_MS = 1000

/** What is asked by those who only want to know whether the server works. */
const PROBES: ReadonlySet<string> = new Set([
  "GET /health",
  `GET ${API}/health`,
  "GET /health/live",
  "GET /health/ready",
  "GET /metrics",
])

/** What is done after a start. */
export interface AfterStartActs {
  /** Lets the runtime compile what runs often; called once, at the first real request. */
  readonly compile: () => void
  /** Frees what the start has left in memory; called once, unless the server is used before. */
  readonly shrink: () => void
}

/** What the runtime offers. */
const RUNTIME: AfterStartActs = {
  compile: () => Bun.unsafe.setJITPolicy(1),
  shrink: () => Bun.shrink(),
}

/**
 * Ends what is special about a start. The binary interprets all code at first, as most of what a start needs runs once
 * (`scripts/build.sh`); from the first real request on, what runs often is compiled. A server that is at rest instead gives
 * back what its start has left in memory.
 */
export class AfterStart implements Service {
  readonly #acts: AfterStartActs
  #isUsed = false
  #timer: Timer | undefined

  /** `acts` is what to do; by default what the runtime offers. */
  constructor(acts = RUNTIME) {
    this.#acts = acts
  }

  /** Takes note of an answer. */
  answered({ route }: Pick<Answered, "route">): void {
    if (this.#isUsed || PROBES.has(route)) return
    this.#isUsed = true
    this.#acts.compile()
  }

  async start(): Promise<void> {
    this.#timer = setTimeout(() => {
      if (!this.#isUsed) this.#acts.shrink()
    }, REST_MS)
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
  }
}
