/**
 * A doorbell between the writers of the history and its readers.
 *
 * A notification has no content: it says "there is something new", and the new updates are read from the
 * history. A lost notification only causes a delay, and a doubled one does nothing. An implementation may
 * merge notifications.
 */
export interface Bus {
  /** Rings, after the commit. Never throws and never waits. */
  notify(): void
  /** Calls `ring`, which must not throw, at each notification from now on. Returns a function that stops that. */
  listen(ring: () => void): () => void
}

/** The doorbell within one process. */
export class LocalBus implements Bus {
  readonly #listeners = new Set<() => void>()

  notify(): void {
    for (const ring of this.#listeners) ring()
  }

  listen(ring: () => void): () => void {
    this.#listeners.add(ring)
    return () => void this.#listeners.delete(ring)
  }
}
