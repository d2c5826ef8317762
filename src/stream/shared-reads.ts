import type { Broadcaster } from "./broadcaster.ts"

/** A value that is known already, or is being read. */
export type Knowable<T> = T | Promise<T>

interface SharedEntry<T> {
  readonly value: Knowable<T>
  /** How often the bell had rung when this was up to date. */
  readonly rings: number
}

/**
 * What was read of the history, shared by all streams that need the same before the bell rings again. After a
 * ring it is brought up to date with the updates in the broadcaster's memory, or read again if these are not
 * enough.
 */
export class SharedReads<Name, T> {
  readonly #broadcaster: Broadcaster
  readonly #most: number
  readonly #entries = new Map<Name, SharedEntry<T>>()

  /** `most` is how many values are remembered. */
  constructor(broadcaster: Broadcaster, most: number) {
    this.#broadcaster = broadcaster
    this.#most = most
  }

  /**
   * Returns the value with this name, up to date with every ring of the bell: at once if it is known. `read`
   * reads it. `renewed` brings the known value up to date with the updates in the broadcaster's memory; it
   * returns undefined if the value must be read.
   */
  of(name: Name, read: () => Promise<T>, renewed: (known: T | undefined) => T | undefined): Knowable<T> {
    const { rings } = this.#broadcaster
    const entry = this.#entries.get(name)
    if (entry?.rings === rings) return entry.value
    const renew = (): Knowable<T> => this.#renew(name, rings, read, renewed)
    const caughtUp = this.#broadcaster.caughtUp()
    if (!caughtUp) return renew()
    const renewing = caughtUp.then(renew)
    // A caller that only wants to know whether the value is known does not wait for it.
    renewing.catch(() => undefined)
    return renewing
  }

  #renew(
    name: Name,
    rings: number,
    read: () => Promise<T>,
    renewed: (known: T | undefined) => T | undefined,
  ): Knowable<T> {
    const entry = this.#entries.get(name)
    // Another stream that waited has read it.
    if (entry && entry.rings >= rings) return entry.value
    const known = entry?.value instanceof Promise ? undefined : entry?.value
    const value = renewed(known) ?? this.#reading(name, rings, read)
    this.#keep(name, { value, rings })
    return value
  }

  #reading(name: Name, rings: number, read: () => Promise<T>): Promise<T> {
    const reading = read()
    const isKept = (): boolean => this.#entries.get(name)?.value === reading
    const keep = (value: T): void => void (isKept() && this.#entries.set(name, { value, rings }))
    reading.then(keep, () => isKept() && this.#entries.delete(name))
    return reading
  }

  #keep(name: Name, entry: SharedEntry<T>): void {
    if (this.#entries.size >= this.#most) this.#entries.clear()
    this.#entries.set(name, entry)
  }
}
