import type { Service } from "../background-work.ts"
import { API } from "../http/api.ts"
import type { Answered } from "../http/request-counts.ts"

/** If no request has come for this long after the start, the server is at rest. */
const REST_MS = 1000

/**
 * The server's code is compiled once so many requests have come within a second, or in all. Compiling costs more than
 * it gains where a few workers report and some people watch: a quarter of the server's time beside a render.
 */
const MANY_IN_A_SECOND = 50
const MANY_IN_ALL = 1000

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
  /** Lets the runtime compile code that runs often; called once, when many real requests have come. */
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
 * needs runs only once (`scripts/build.sh`). Once many requests have come, code that runs often is
 * compiled. If no request comes, the server instead frees the memory that only the start needed.
 */
export class AfterStart implements Service {
  readonly #acts: AfterStartActs
  readonly #nowMs: () => number
  #requests = 0
  /** How many of the requests had come when the present second began, and when it began. */
  #before = 0
  #secondMs = 0
  #isCompiled = false
  #timer: Timer | undefined

  /** `acts` is what it calls; by default the functions of the runtime. `nowMs` is a clock that never goes back. */
  constructor(acts = RUNTIME, nowMs = () => performance.now()) {
    this.#acts = acts
    this.#nowMs = nowMs
  }

  /** Notes that a request was answered. */
  answered({ route }: Pick<Answered, "route">): void {
    if (this.#isCompiled || PROBES.has(route)) return
    const nowMs = this.#nowMs()
    if (nowMs - this.#secondMs >= 1000) {
      this.#secondMs = nowMs
      this.#before = this.#requests
    }
    this.#requests += 1
    if (this.#requests < MANY_IN_ALL && this.#requests - this.#before < MANY_IN_A_SECOND) return
    this.#isCompiled = true
    this.#acts.compile()
  }

  async start(): Promise<void> {
    this.#timer = setTimeout(() => {
      if (this.#requests === 0) this.#acts.shrink()
    }, REST_MS)
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
  }
}
