import { ServerError } from "../client/client.ts"

/** A server asks for a longer wait only after many bad tokens, or a proxy does. Then the command ends. */
const LONGEST_WAIT_MS = 10_000
/** After so many refusals in a row the command ends. */
const MOST_REFUSALS = 60

/**
 * Sends a request. If the server answers that this client sends too many (429), the request has done nothing, and is
 * sent again after the time that the server names: a command that names very many items reaches the limit without harm.
 * @throws ServerError any other refusal; the last one if the server goes on refusing, or wants a wait of more than 10 s
 */
export async function retryWhenLimited<T>(send: () => Promise<T>): Promise<T> {
  for (let refusals = 1; ; refusals += 1) {
    try {
      return await send()
    } catch (error) {
      const waitMs = error instanceof ServerError && error.status === 429 ? error.retryAfterMs : 0
      if (waitMs === 0 || waitMs > LONGEST_WAIT_MS || refusals === MOST_REFUSALS) throw error
      await Bun.sleep(waitMs)
    }
  }
}
