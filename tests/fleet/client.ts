/** How often a request is repeated that an instance or a proxy could not answer. */
const MOST_TRIES = 200

/** An answer. */
export interface Answer {
  readonly status: number
  /** Its body as JSON; null if there is none. */
  readonly body: unknown
}

/** A client that repeats a request, with the same key or lease, until the answer is no fault. */
export class Client {
  /** How often each kind of fault has occurred. */
  readonly faults = new Map<string, number>()
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  async ask(
    method: string,
    path: string,
    body?: object,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      try {
        const answer = await fetch(`${this.#url}/api/v1${path}`, {
          method,
          headers: { "content-type": "application/json", ...headers },
          ...(body && { body: JSON.stringify(body) }),
          signal: AbortSignal.timeout(40_000),
        })
        const text = await answer.text()
        if (answer.status < 500) return { status: answer.status, body: text === "" ? null : JSON.parse(text) }
        this.#note(`${method} ${path}: ${answer.status}`)
      } catch (error) {
        this.#note(`${method} ${path}: ${error instanceof Error && "code" in error ? error.code : error}`)
      }
      await Bun.sleep(100)
    }
    throw new Error(`${method} ${path} was never answered: ${JSON.stringify([...this.faults])}`)
  }

  #note(fault: string): void {
    const kind = fault.replaceAll(/\/\d+/g, "/N")
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1)
  }
}
