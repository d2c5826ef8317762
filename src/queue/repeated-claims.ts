/** A claim that has no answer yet. */
interface UnderWay {
  /** Ends its wait for an item. */
  readonly end: AbortController
  /** Resolves when it is answered, whatever the answer is. */
  readonly over: Promise<unknown>
}

/**
 * Ends a claim that still waits for an item when it is repeated: its client has gone. What a claim got is known to the
 * store, so that a repetition gets the same.
 */
export class RepeatedClaims {
  readonly #underWay = new Map<string, UnderWay>()

  /**
   * The answer of `claim`, once no earlier claim with this key is under way. Null if the claim was repeated before that.
   * @throws what `claim` throws
   */
  async once<T>(key: string, claim: (isRepeated: AbortSignal) => Promise<T | null>): Promise<T | null> {
    const earlier = this.#underWay.get(key)
    earlier?.end.abort()
    const end = new AbortController()
    const after = async (): Promise<T | null> => {
      await earlier?.over
      return end.signal.aborted ? null : claim(end.signal)
    }
    const answer = after()
    const own = { end, over: answer.catch(() => null) }
    this.#underWay.set(key, own)
    try {
      return await answer
    } finally {
      if (this.#underWay.get(key) === own) this.#underWay.delete(key)
    }
  }
}
