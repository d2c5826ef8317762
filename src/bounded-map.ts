/** A map that keeps only its newest entries: an entry is new each time it is set. */
export class BoundedMap<Key, Value> extends Map<Key, Value> {
  readonly #most: number

  /** Above `most` entries the oldest is forgotten. */
  constructor(most: number) {
    super()
    this.#most = most
  }

  override set(key: Key, value: Value): this {
    // A map keeps the order of insertion.
    this.delete(key)
    super.set(key, value)
    if (this.size > this.#most) this.#forgetOldest()
    return this
  }

  #forgetOldest(): void {
    for (const oldest of this.keys()) {
      this.delete(oldest)
      return
    }
  }
}
