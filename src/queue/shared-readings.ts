/**
 * Lets all who ask for the same at about the same time share a reading that takes long. Nobody gets a reading that began
 * before they asked.
 */
export class SharedReadings<T> {
  readonly #underWay = new Map<string, Promise<T>>()
  readonly #next = new Map<string, Promise<T>>()

  /** What `read` reads. While something with this name is being read, all callers share the next reading of it. */
  of(name: string, read: () => Promise<T>): Promise<T> {
    const underWay = this.#underWay.get(name)
    if (!underWay) return this.#begun(name, read)
    const next =
      this.#next.get(name) ??
      underWay.then(
        () => this.#begun(name, read),
        () => this.#begun(name, read),
      )
    this.#next.set(name, next)
    return next
  }

  #begun(name: string, read: () => Promise<T>): Promise<T> {
    this.#next.delete(name)
    const reading = read().finally(() => {
      if (this.#underWay.get(name) === reading) this.#underWay.delete(name)
    })
    this.#underWay.set(name, reading)
    return reading
  }
}
