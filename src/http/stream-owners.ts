import type { Caller } from "../access/authorize.ts"
import { Owner } from "../stream/stream-limits.ts"
import type { Streams } from "../stream/streams.ts"
import { checkStillIn } from "./revoked-meanwhile.ts"

/**
 * How many clients are remembered by their address. If there are more, clients without an open stream are
 * forgotten.
 */
const MOST_OWNERS = 10_000

/** Knows which streams belong to which client, and ends streams whose token is no longer valid. */
export class StreamOwners {
  readonly #streams: Streams
  readonly #owners = new Map<string, { readonly owner: Owner; readonly ended: AbortSignal | undefined }>()
  /** The signals that have a listener already, because many clients can have the same signal. */
  readonly #heard = new WeakSet<AbortSignal>()

  constructor(streams: Streams) {
    this.#streams = streams
  }

  /**
   * The owner of a caller's streams; undefined if the caller may always watch and has no limit.
   * @throws AppError `unauthorized` if the caller may no longer watch
   */
  of(caller: Caller): Owner | undefined {
    const { client, ended } = caller
    if (client === undefined && ended === undefined) return undefined
    checkStillIn(caller)
    const key = client ?? ""
    const known = this.#owners.get(key)
    if (known) return known.owner
    if (this.#owners.size >= MOST_OWNERS) this.#forget()
    const owner = new Owner(client !== undefined)
    this.#owners.set(key, { owner, ended })
    if (ended && !this.#heard.has(ended)) {
      this.#heard.add(ended)
      ended.addEventListener("abort", () => this.#end(ended))
    }
    return owner
  }

  /** Whether streams of other clients than this one are open. */
  haveOthers(client: string): boolean {
    return this.#streams.count > (this.#owners.get(client)?.owner.streams ?? 0)
  }

  #end(signal: AbortSignal): void {
    for (const [key, { owner, ended }] of this.#owners) {
      if (ended !== signal) continue
      this.#owners.delete(key)
      this.#streams.dismiss(owner)
    }
  }

  #forget(): void {
    for (const [key, { owner }] of this.#owners) if (owner.streams === 0) this.#owners.delete(key)
  }
}
