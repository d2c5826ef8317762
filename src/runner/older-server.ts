import { ServerError } from "../client/client.ts"

/** Asks a server that may be older than this program, and so may not know all keys of a request. */
export class OlderServer {
  /** Whether the server has answered only without the newer keys. */
  #isOlder = false

  /**
   * The answer to `ask`, or to `askOlder` if the server refuses a key of `ask`. Once it has answered `askOlder`, it is
   * asked nothing else. @throws ServerError
   */
  async ask<T>(ask: () => Promise<T>, askOlder: () => Promise<T>): Promise<T> {
    if (this.#isOlder) return askOlder()
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof ServerError) || error.status !== 422) throw error
    }
    const answer = await askOlder()
    this.#isOlder = true
    return answer
  }
}
