import type { Broadcaster } from "./broadcaster.ts"

/** Something known already, or being read. */
export type Knowable<T> = T | Promise<T>

interface Entry<T> {
  readonly value: Knowable<T>
  /** How often the bell had rung when this was up to date. */
  readonly rings: number
}

/**
 * What was read of the history, for all streams that ask for the same before the bell rings again. After a
 * ring it is brought up to date from the updates that the broadcaster holds in memory, or read again if these do
 * not suffice.
 */
export class SharedReads<Name, T> {
  readonly #broadcaster: Broadcaster
  readonly #most: number
  readonly #entries = new Map<Name, Entry<T>>()

  /** `most`: how many things are remembered. */
  constructor(broadcaster: Broadcaster, most: number) {
    this.#broadcaster = broadcaster
    this.#most = most
  }

  /**
   * Returns what has this name, with everything that the bell has rung for: at once if it is known. `read`
   * reads it. `renewed` updates what was known, if anything was, with the updates that the broadcaster holds
   * in memory; it returns undefined if it must be read.
   */
  of(name: Name, read: () => Promise<T>, renewed: (known: T | undefined) => T | undefined): Knowable<T> {
    const { rings } = this.#broadcaster
    const entry = this.#entries.get(name)
    if (entry?.rings === rings) return entry.value
    const renew = (): Knowable<T> => this.#renew(name, rings, read, renewed)
    const caughtUp = this.#broadcaster.caughtUp()
    if (!caughtUp) return renew()
    const renewing = caughtUp.then(renew)
    // Who only wants to know whether it is known already does not wait for it.
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

  #keep(name: Name, entry: Entry<T>): void {
    if (this.#entries.size >= this.#most) this.#entries.clear()
    this.#entries.set(name, entry)
  }
}
