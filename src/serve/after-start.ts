import { API } from "../http/api.ts"
import type { Answered } from "../http/request-counts.ts"
import type { Service } from "../service.ts"

/** If no request has come for this long after the start, the server is at rest. */
const REST_MS = 1000

/** The requests of callers that only check whether the server works. */
const PROBES: ReadonlySet<string> = new Set([
  "GET /health",
  `GET ${API}/health`,
  "GET /health/live",
  "GET /health/ready",
  "GET /metrics",
])

/** What is done after a start. */
export interface AfterStartActs {
  /** Lets the runtime compile code that runs often; called once, at the first real request. */
  readonly compile: () => void
  /** Frees memory that only the start needed; called once, unless a real request comes first. */
  readonly shrink: () => void
}

/** What the runtime offers. */
const RUNTIME: AfterStartActs = {
  compile: () => Bun.unsafe.setJITPolicy(1),
  shrink: () => Bun.shrink(),
}

/**
 * Ends the special state of a start. At first the binary interprets all code, because most code that a start
 * needs runs only once (`scripts/build.sh`). From the first real request on, code that runs often is
 * compiled. If no request comes, the server instead frees the memory that only the start needed.
 */
export class AfterStart implements Service {
  readonly #acts: AfterStartActs
  #isUsed = false
  #timer: Timer | undefined

  /** `acts` is what it calls; by default the functions of the runtime. */
  constructor(acts = RUNTIME) {
    this.#acts = acts
  }

  /** Notes that a request was answered. */
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
