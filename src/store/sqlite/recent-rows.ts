import { BoundedMap } from "../../bounded-map.ts"
import type { Stored } from "../../item/stored.ts"
import { RECENT_ITEMS } from "../row-parts.ts"

/**
 * The latest rows as they are stored, by item; the last written row is at the end. Reports often come one
 * after the other for one item, and to read the row is most of their cost. They are valid only while no other
 * process writes the file.
 */
export class RecentRows extends BoundedMap<number, Stored> {
  readonly #versionNow: () => number
  #version = 0

  /** `versionNow` asks SQLite for a number that is another one after each write by another process. */
  constructor(versionNow: () => number) {
    super(RECENT_ITEMS)
    this.#versionNow = versionNow
  }

  /** The row of an item that was written lately; undefined if it is not known, or another process has written since. */
  valid(id: number): Stored | undefined {
    return this.#versionNow() === this.#version ? this.get(id) : undefined
  }

  /** Forgets all rows if another process has written. Returns whether one has. */
  forgetInvalid(): boolean {
    const version = this.#versionNow()
    const isInvalid = version !== this.#version
    if (isInvalid) this.clear()
    this.#version = version
    return isInvalid
  }
}
